"""The cost of a claim of postbacks does not depend on the number of accounts, and no account hides the others."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from billing.models import Account
from mms.models import Postback
from mms.postbacks import notifier, outbox
from tests.database.plans import Explained, explained
from tests.database.test_sweep import multiply

ACCOUNTS, BACKLOG = 20_000, 20_000
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER, AGO = NOW + timedelta(minutes=5), NOW - timedelta(hours=1)
LIMITS = notifier.LIMITS
READ_MAX = 2_000  # rows and pages of one claim, whatever else is in the tables


def postback(account: Account, due_at: datetime) -> Postback:
    return Postback.objects.create(account=account, code="N101", fields={}, due_at=due_at, created_at=AGO)


@pytest.fixture
def vacuumed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Remove the rows of the test after its rollback: they would distort the plans of other tests."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE billing_account, mms_postback")


@pytest.fixture
def accounts(vacuumed: None, records: SimpleNamespace) -> list[Account]:
    """Create 20,000 accounts."""
    multiply(records.account, f"SELECT generate_series(1, {ACCOUNTS}) n", name="'Customer ' || n")
    return list(Account.objects.order_by("pk"))


@pytest.fixture
def waiting(accounts: list[Account]) -> None:
    """Create a postback for each account that waits for its retry, as when no customer can be reached."""
    multiply(postback(accounts[0], LATER), "SELECT id FROM billing_account", account_id="source.id")


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def claim(room: int = 192, busy: tuple[int, ...] = ()) -> tuple[list[int], Explained]:
    """Return the accounts of the claimed postbacks, and the plan of the query that found them."""
    with explained() as plans:
        claimed = outbox.claim(NOW, LIMITS.claim, busy, room)
    return [each.postback.account_id for each in claimed], next(plan for plan in plans if plan.sql == outbox.DUE)


def check_cost(plan: Explained) -> None:
    rows = plan.rows("mms_postback") + plan.rows("billing_account")
    assert (rows < READ_MAX, plan.buffers < READ_MAX) == (True, True), (rows, plan.buffers)


@pytest.mark.usefixtures("waiting")
def test_claim_does_not_read_accounts_without_due_postbacks(accounts: list[Account]) -> None:
    due = [accounts[index].pk for index in (7, ACCOUNTS // 2, ACCOUNTS - 1)]
    for account in accounts[7], accounts[ACCOUNTS // 2], accounts[ACCOUNTS - 1]:
        postback(account, AGO)
    analyze()
    claimed, plan = claim()
    assert sorted(claimed) == due
    check_cost(plan)
    claimed, plan = claim()
    assert claimed == []
    check_cost(plan)


def test_long_backlog_of_one_account_hides_no_other(accounts: list[Account]) -> None:
    """The other account is due last, and the account with the backlog is served as well."""
    greedy, other = accounts[ACCOUNTS - 1], accounts[ACCOUNTS // 2]
    multiply(
        postback(greedy, AGO), f"SELECT generate_series(1, {BACKLOG}) n", due_at="sample.due_at + n * interval '1 us'"
    )
    postback(other, NOW)
    analyze()
    claimed, plan = claim(room=LIMITS.claim + 1)
    assert (claimed.count(greedy.pk), claimed.count(other.pk)) == (LIMITS.claim, 1)
    check_cost(plan)
    postback(other, NOW)
    claimed, plan = claim(busy=(greedy.pk,))
    assert claimed == [other.pk]
    check_cost(plan)
