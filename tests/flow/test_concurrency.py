"""Workers that work on the same rows at the same time."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import Error, connection, transaction

from billing import ledger
from billing.models import Account, Price
from mms.messages import claiming, report_apply, report_matching, report_search, sweeper, transitions
from mms.models import Discovery, Message, Report
from mms.protocol.submit import Outcome
from tests.flow.threads import run_in_thread, start_one_by_one, submit_with_outcome
from tests.wire import IPHONE, RunWorkers

Send = Callable[..., Message]
SendReport = Callable[..., int]

ROUNDS = 10


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reports, sweeps and claims wait for locks for as long as a busy machine needs to start the other threads."""
    monkeypatch.setattr(report_apply, "LOCK_WAIT", 4.0)
    monkeypatch.setattr(sweeper, "LOCK_WAIT", 4.0)
    monkeypatch.setattr(claiming, "LOCK_WAIT", 4.0)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_bookings_of_the_same_accounts_do_not_deadlock(records: SimpleNamespace, send: Send) -> None:
    """One worker submits for the first account and fails for the second, the other vice versa."""
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(records.account, 50 * 4 * ROUNDS, "", datetime.now(UTC))
    other = Account.objects.create(name="Other")
    ledger.top_up(other, 0, "", datetime.now(UTC))
    messages = [send() for _ in range(4 * ROUNDS)]
    Message.objects.filter(pk__in=[message.pk for message in messages[::2]]).update(account=other)
    claimed, _ = claiming.claim_messages(datetime.now(UTC), len(messages))
    first = [message for message in claimed if message.account_id == records.account.pk]
    second = [message for message in claimed if message.account_id == other.pk]
    barrier, problems = threading.Barrier(2), list[Error]()

    def work(submitted: list[Message], failed: list[Message]) -> None:
        try:
            for one, another in zip(submitted, failed, strict=True):
                completed = [
                    submit_with_outcome(one, Outcome.SUBMITTED),
                    submit_with_outcome(another, Outcome.PERMANENT),
                ]
                barrier.wait(timeout=60)
                transitions.record_submit_results(completed, datetime.now(UTC))
        except Error as problem:
            problems.append(problem)
            barrier.abort()
        except threading.BrokenBarrierError:
            pass
        finally:
            connection.close()

    halves = [(first[:ROUNDS], second[:ROUNDS]), (second[ROUNDS:], first[ROUNDS:])]
    workers = [threading.Thread(target=work, args=half) for half in halves]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert problems == []
    assert Message.objects.filter(status="submitted").count() == 2 * ROUNDS


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_report_matching_locks_balances_in_order(records: SimpleNamespace, send: Send, send_report: SendReport) -> None:
    """Of two messages in doubt, the one with the lower number belongs to the second account."""
    Price.objects.create(message_class="mms", amount=50)
    second = Account.objects.create(name="Second")
    for account in (records.account, second):
        ledger.top_up(account, 1000, "", datetime.now(UTC))
    messages = [send(to=number) for number in ("14044790000", "14044790001")]
    Message.objects.filter(pk=messages[0].pk).update(account=second)
    claimed, _ = claiming.claim_messages(datetime.now(UTC), len(messages))
    transitions.record_submit_results(
        [submit_with_outcome(message, Outcome.IN_DOUBT) for message in claimed], datetime.now(UTC)
    )
    for name, message in zip("AB", messages, strict=True):
        send_report(name, "Retrieved", number=message.number)
    problems: list[Error] = []

    def book() -> None:
        with transaction.atomic():
            ledger.lock_balances({records.account.pk, second.pk})

    def wake() -> None:
        sweeper.sweep(datetime.now(UTC) + timedelta(seconds=2))

    with transaction.atomic():
        ledger.lock_balances({records.account.pk, 0})
        threads = start_one_by_one((book, wake), problems)
    for thread in threads:
        thread.join()
    assert problems == []
    assert Message.objects.filter(status="delivered").count() == 2


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_claim_joining_a_discovery_does_not_deadlock_its_report(
    records: SimpleNamespace, send: Send, send_report: SendReport, run_workers: RunWorkers
) -> None:
    """The first message is due after its deadline, together with a later one that joins the discovery."""
    ddm = "<ddm-message-text>What is your telephone?</ddm-message-text>"
    send(f"{ddm}<ddm-message-timeout>1</ddm-message-timeout>")
    send(ddm)  # keeps it open
    run_workers()
    now = datetime.now(UTC) + timedelta(seconds=61)
    sweeper.sweep(now)
    send(f"{ddm}<ddm-message-timeout>1</ddm-message-timeout>")
    problems: list[Error] = []
    statuses: list[int] = []

    def report() -> None:
        statuses.append(send_report("M1", "Retrieved", IPHONE))

    def claim() -> None:
        claiming.claim_messages(now, 10)

    with transaction.atomic():
        Discovery.objects.select_for_update(no_key=True).get()
        threads = start_one_by_one((report, claim), problems)
    for thread in threads:
        thread.join()
    assert (problems, statuses) == ([], [200])
    assert Discovery.objects.get().answered_at


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_report_waits_for_the_result_of_its_own_submit(
    records: SimpleNamespace, send: Send, send_report: SendReport
) -> None:
    """The report of the second message precedes its result, which is stored while the report is being matched."""
    doubtful, answered = send(), send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 2)
    transitions.record_submit_results([submit_with_outcome(claimed[0], Outcome.IN_DOUBT)], datetime.now(UTC))
    completed = submit_with_outcome(claimed[1], Outcome.SUBMITTED, "M2")
    send_report("M2", "Retrieved")
    problems: list[Error] = []
    lookups: list[str] = []

    def store_result() -> None:
        transitions.record_submit_results([completed], datetime.now(UTC))

    def interfere(execute: Callable[..., object], sql: str, *rest: object) -> object:
        found = execute(sql, *rest)
        lookups.extend([sql] if sql == report_search.ATTEMPTS_BY_MMSC_ID else [])
        # For all that are due, then for this one; each time under its carrier, then elsewhere.
        if len(lookups) == 4 and completed.attempt.finished_at is None:
            run_in_thread(store_result, problems).join()
        return found

    with connection.execute_wrapper(interfere):
        sweeper.sweep(datetime.now(UTC) + timedelta(seconds=2))
    assert (completed.attempt.finished_at is not None, problems) == (True, [])
    sweeper.sweep(datetime.now(UTC) + timedelta(minutes=1))
    doubtful.refresh_from_db()
    answered.refresh_from_db()
    assert (doubtful.status, answered.status) == ("in_doubt", "delivered")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_attempt_is_matched_to_one_report_only(records: SimpleNamespace, send: Send, send_report: SendReport) -> None:
    """Two reports may be of the one attempt without a MessageID. The second worker overtakes the first."""
    send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 1)
    transitions.record_submit_results([submit_with_outcome(claimed[0], Outcome.IN_DOUBT)], datetime.now(UTC))
    for name, status in (("X1", "Retrieved"), ("Y9", "Expired")):
        send_report(name, status)
    soon, problems = datetime.now(UTC) + timedelta(seconds=2), list[Error]()

    def match() -> None:
        with transaction.atomic():
            report_matching.match_again(soon, 1)

    def interfere(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith('UPDATE "mms_attempt"'):
            run_in_thread(match, problems).join()
        return execute(sql, *rest)

    with connection.execute_wrapper(interfere):
        match()
    [matched] = Report.objects.filter(attempt__isnull=False)
    assert (matched.mmsc_id, matched.attempt.mmsc_id if matched.attempt else "", problems) == ("Y9", "Y9", [])
