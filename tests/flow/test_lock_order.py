"""Lock order: every step locks messages, balances and cached handsets in the same order."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import Error, connection, transaction

from billing import ledger
from billing.models import Account, Balance, Price
from handsets import cache
from handsets.models import CachedHandset
from mms.messages import claiming, leases, report_apply, sweeper, transitions
from mms.messages.accept import accept
from mms.messages.request import SendRequest
from mms.models import Message, Postback
from mms.postbacks import outbox
from mms.protocol.submit import Outcome
from mms.runtime.http_client import NoReply
from tests.flow.threads import count_lock_waits, run_in_thread, start_one_by_one, submit_with_outcome
from tests.processes.platform_under_test import eventually
from tests.wire import IPHONE

Send = Callable[..., Message]
SendReport = Callable[..., int]

committing = pytest.mark.django_db(transaction=True, serialized_rollback=True)
NUMBERS = ["14044790000", "14044790001", "14044790002"]


def now() -> datetime:
    return datetime.now(UTC)


def send_request(records: SimpleNamespace, number: str, account: Account, device: str = "") -> SendRequest:
    return SendRequest(
        account=account, number=number, sender="28444", carrier=records.carrier, template=records.template,
        service=records.service, country="US", subject="Spring is here", device=device,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reports and sweeps wait for locks for as long as a busy machine needs to start the other threads."""
    monkeypatch.setattr(report_apply, "LOCK_WAIT", 4.0)
    monkeypatch.setattr(sweeper, "LOCK_WAIT", 4.0)


@committing
def test_accept_does_not_deadlock_a_report_on_its_handset(
    records: SimpleNamespace, send: Send, send_report: SendReport
) -> None:
    Account.objects.update(refund_undelivered=True)
    records.account.refresh_from_db()
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(records.account, 1000, "", now())
    message = send()
    claimed, _ = claiming.claim_messages(now(), 1)
    transitions.record_submit_results([submit_with_outcome(claimed[0], Outcome.SUBMITTED, "M1")], now())
    problems: list[Error] = []
    statuses: list[int] = []

    def report() -> None:
        statuses.append(send_report("M1", "Expired", IPHONE))

    def accept_message() -> None:
        accept([send_request(records, message.number, records.account, IPHONE)], now())

    with transaction.atomic():
        Message.objects.select_for_update(no_key=True).get()
        threads = [*start_one_by_one((report,), problems), run_in_thread(accept_message, problems)]
        eventually(lambda: count_lock_waits() == 2 or not threads[1].is_alive())
    for thread in threads:
        thread.join()
    assert (problems, statuses) == ([], [200])


@committing
def test_accepts_with_device_hints_do_not_deadlock(records: SimpleNamespace) -> None:
    other = Account.objects.create(name="Other")
    cache.record_sightings([cache.Sighting(number, IPHONE, CachedHandset.Source.CUSTOMER, now()) for number in NUMBERS])
    problems: list[Error] = []

    def accept_later(account: Account, numbers: list[str]) -> Callable[[], None]:
        def run() -> None:
            accept([send_request(records, number, account, IPHONE) for number in numbers], now())

        return run

    with transaction.atomic():
        CachedHandset.objects.select_for_update(no_key=True).get(number=NUMBERS[1])
        threads = start_one_by_one(
            (accept_later(records.account, NUMBERS), accept_later(other, NUMBERS[::-1])), problems
        )
    for thread in threads:
        thread.join()
    assert problems == []


@committing
def test_giving_up_postbacks_locks_messages_in_order(records: SimpleNamespace, send: Send) -> None:
    first, second = send(to=NUMBERS[1]), send(to=NUMBERS[0])
    for message in (first, second):
        Postback.objects.create(
            account=records.account, message=message, code="N101", fields={"code": "N101"}, due_at=now(),
            created_at=now(), tries=5,
        )  # fmt: skip
    claimed = outbox.claim(now(), 10)
    problems: list[Error] = []

    def settle() -> None:
        outbox.settle([(each, NoReply(True, "no", 1.0)) for each in claimed], now())

    with transaction.atomic():
        Message.objects.select_for_update(no_key=True).get(pk=second.pk)
        threads = start_one_by_one((settle,), problems)
        Message.objects.select_for_update(no_key=True).get(pk=first.pk)
    for thread in threads:
        thread.join()
    assert problems == []
    assert Postback.objects.filter(code="E999").count() == 2


@committing
def test_result_stored_as_the_lease_ends_counts(records: SimpleNamespace, send: Send) -> None:
    message = send()
    claimed, _ = claiming.claim_messages(now(), 1)
    completed = submit_with_outcome(claimed[0], Outcome.SUBMITTED, "M1")
    problems: list[Error] = []
    threads: list[threading.Thread] = []

    def store_result() -> None:
        transitions.record_submit_results([completed], now())

    def interfere(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if '"mms_attempt"' in sql and not threads:
            threads.append(run_in_thread(store_result, problems))
            eventually(lambda: count_lock_waits() == 1)
        return execute(sql, *rest)

    with connection.execute_wrapper(interfere):
        sweeper.sweep(now() + leases.LEASE + timedelta(seconds=1))
    threads[0].join()
    assert problems == []
    message.refresh_from_db()
    assert message.status == "submitted"


@committing
def test_first_bookings_of_the_same_accounts_do_not_deadlock(records: SimpleNamespace) -> None:
    Price.objects.create(message_class="mms", amount=50)
    # A set of these keys iterates in insertion order, so the two accepts would use different orders.
    keys = (900, 902, 910)
    accounts = [Account.objects.create(pk=key, name=f"{key}", billing="postpaid") for key in keys]
    problems: list[Error] = []

    def accept_later(accounts: list[Account]) -> Callable[[], None]:
        def run() -> None:
            accept([send_request(records, NUMBERS[0], account) for account in accounts], now())

        return run

    with transaction.atomic():
        Balance.objects.create(account=accounts[0])
        threads = start_one_by_one((accept_later(accounts), accept_later(accounts[::-1])), problems)
    for thread in threads:
        thread.join()
    assert problems == []
