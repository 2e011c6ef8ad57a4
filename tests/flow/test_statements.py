"""Statements: every ledger entry is in one line, by class, country and carrier."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from billing import ledger
from billing.ledger import Charge
from billing.models import Account, Balance, LedgerEntry, Price, SenderAddress
from mms.messages import statements
from mms.models import Message, NumberPrefix
from tests.wire import IPHONE, RunWorkers

Send = Callable[..., Message]
SendReport = Callable[..., int]

DDM = "<ddm-message-text>What is your telephone?</ddm-message-text>"
NOVEMBER, DECEMBER = date(2026, 11, 1), date(2026, 12, 1)


def booked(account: Account, month: date) -> int:
    """Return the sum of the ledger entries of the month."""
    lines = LedgerEntry.objects.filter(account=account, created_at__year=month.year, created_at__month=month.month)
    return lines.aggregate(total=Sum("balance_change"))["total"] or 0


def this_month() -> date:
    return datetime.now(UTC).date().replace(day=1)


@pytest.fixture
def used(records: SimpleNamespace, send: Send, run_workers: RunWorkers, send_report: SendReport) -> SimpleNamespace:
    """An account with a DDM and three messages, one to another country at another price, one refunded."""
    Price.objects.create(message_class="mms", amount=30_000)
    Price.objects.create(message_class="mms", country="GB", amount=50_000)
    Price.objects.create(message_class="ddm", amount=5_000)
    NumberPrefix.objects.create(prefix="44", carrier=records.carrier)
    SenderAddress.objects.create(account=records.account, address="60777", country="GB", default=True)
    records.account.refund_undelivered = True
    records.account.save()
    ledger.top_up(records.account, 1_000_000, "invoice 1", datetime.now(UTC))
    send(DDM)
    run_workers()
    send_report("M1", "Retrieved", IPHONE)
    # One by one, so that the MMSC numbers them in this order.
    run_workers()
    send(to="14044790001")
    run_workers()
    send(to="447700900123")
    run_workers()
    send_report("M3", "Rejected", number="14044790001")
    ledger.adjust(records.account, -100_000, "fee, December", datetime.now(UTC))
    return records


def test_statement_sums_by_class_country_and_carrier(used: SimpleNamespace) -> None:
    today, month = datetime.now(UTC).date(), this_month()
    assert Message.objects.get(status="rejected").country == "US"
    assert statements.to_csv(statements.statement_for(used.account, month)) == (
        "line,class,country,carrier,messages,price,amount,currency,date,note\r\n"
        f"opening balance,,,,,,0.00,USD,{month},\r\n"
        "settle,MMS,GB,AT&T,1,0.05,-0.05,USD,,\r\n"
        "settle,MMS,US,AT&T,2,0.03,-0.06,USD,,\r\n"
        "settle,DDM,US,AT&T,1,0.005,-0.005,USD,,\r\n"
        "refund,MMS,US,AT&T,1,0.03,0.03,USD,,\r\n"
        f"top-up,,,,,,1.00,USD,{today},invoice 1\r\n"
        f'adjustment,,,,,,-0.10,USD,{today},"fee, December"\r\n'
        "closing balance,,,,,,0.815,USD,,\r\n"
    )


def test_closing_balance_is_the_next_opening_balance(used: SimpleNamespace) -> None:
    last, this = (this_month() - timedelta(days=1)).replace(day=1), this_month()
    settled = LedgerEntry.objects.filter(kind="settle").order_by("pk").values("pk")[:2]
    LedgerEntry.objects.filter(pk__in=settled).update(created_at=F("created_at") - timedelta(days=31))
    before, now = statements.statement_for(used.account, last), statements.statement_for(used.account, this)
    assert before.opening == 0
    assert before.opening + before.total == now.opening
    assert now.opening + now.total == Balance.objects.get().balance == 815_000
    assert (before.total, now.total) == (booked(used.account, last), booked(used.account, this))


def test_month_includes_its_first_microsecond(records: SimpleNamespace) -> None:
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    ledger.top_up(records.account, 100, "", midnight - timedelta(microseconds=1))
    ledger.top_up(records.account, 20, "", midnight)
    november, december = (statements.statement_for(records.account, month) for month in (NOVEMBER, DECEMBER))
    assert [(month.opening, month.total) for month in (november, december)] == [(0, 100), (100, 20)]


def test_entry_of_a_deleted_message_counts(used: SimpleNamespace) -> None:
    Message.objects.all().delete()
    statement = statements.statement_for(used.account, this_month())
    assert statement.total == booked(used.account, this_month())
    assert {line.country for line in statement.lines} == {""}


def test_account_without_bookings_has_an_empty_statement(records: SimpleNamespace) -> None:
    statement = statements.statement_for(records.account, NOVEMBER)
    assert (statement.opening, statement.total, statement.lines) == (0, 0, ())


def test_command_prints_the_statement(used: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("statement", "Customer", f"{this_month():%Y-%m}")
    assert capsys.readouterr().out == statements.to_csv(statements.statement_for(used.account, this_month()))


@pytest.mark.parametrize(
    ("account", "month", "error"),
    [("Nobody", "2026-11", "there is no account named Nobody"), ("Customer", "November", "invalid parse_month value")],
)
def test_command_rejects_unknown_account_or_month(
    records: SimpleNamespace, account: str, month: str, error: str
) -> None:
    with pytest.raises(CommandError, match=error):
        call_command("statement", account, month)


BOOKINGS = st.lists(
    st.tuples(
        st.sampled_from(["top-up", "adjust", "settle", "release", "refund"]),
        st.integers(1, 10**9),
        st.datetimes(datetime(2026, 10, 31), datetime(2027, 1, 2), timezones=st.just(UTC)),  # noqa: DTZ001
    ),
    max_size=30,
)


class AnyBookings(TestCase):
    """Property: for any bookings, statements and ledger agree."""

    @settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(BOOKINGS)
    def test_statements_add_up_to_the_ledger(self, bookings: list[tuple[str, int, datetime]]) -> None:
        account = Account.objects.create(name="Customer", credit_limit=10**15)
        for number, (kind, amount, at) in enumerate(bookings):
            book(account, number, kind, amount, at)
        months = [date(2026, 10, 1), NOVEMBER, DECEMBER, date(2027, 1, 1)]
        made = [statements.statement_for(account, month) for month in months]
        assert [s.total for s in made] == [booked(account, month) for month in months]
        assert [s.opening for s in made] == [sum(s.total for s in made[:n]) for n in range(len(made))]
        assert ledger.reconcile() == []


def book(account: Account, message: int, kind: str, amount: int, at: datetime) -> None:
    if kind == "top-up":
        ledger.top_up(account, amount, "", at)
    elif kind == "adjust":
        ledger.adjust(account, -amount, "", at)
    else:
        charge = Charge(account.pk, message, 0 if kind == "release" else amount, amount)
        ledger.reserve(account, message, amount, at)
        ledger.charge([charge], at)
        if kind == "refund":
            ledger.refund([charge], at)
