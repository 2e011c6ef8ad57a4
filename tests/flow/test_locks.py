"""Workers that meet over the same rows."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import Error, connection, transaction

from billing import ledger
from billing.models import Account, Price
from mms.messages import attempts, claiming, report_matching, sweeper, transitions
from mms.messages.attempts import CompletedSubmit
from mms.models import Discovery, Message, Report
from mms.protocol.submit import Outcome, SubmitResult
from tests.processes.platform_under_test import eventually
from tests.wire import IPHONE, Drive

Send = Callable[..., Message]
Reported = Callable[..., int]

ROUNDS = 10


def landed(message: Message, outcome: Outcome, name: str | None = None) -> CompletedSubmit[Message]:
    [(sent, attempt)] = attempts.start([(message, 1000)], datetime.now(UTC))
    return CompletedSubmit(sent, attempt, SubmitResult(outcome, None, "", name))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_workers_that_book_for_the_same_accounts_never_deadlock(world: SimpleNamespace, send: Send) -> None:
    """One takes a message of the first account and fails one of the second, the other the other way round."""
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(world.account, 50 * 4 * ROUNDS, "", datetime.now(UTC))
    other = Account.objects.create(name="Other")
    ledger.top_up(other, 0, "", datetime.now(UTC))
    messages = [send() for _ in range(4 * ROUNDS)]
    Message.objects.filter(pk__in=[message.pk for message in messages[::2]]).update(account=other)
    claimed, _ = claiming.claim_messages(datetime.now(UTC), len(messages))
    first = [message for message in claimed if message.account_id == world.account.pk]
    second = [message for message in claimed if message.account_id == other.pk]
    together, problems = threading.Barrier(2), list[Error]()

    def work(taken: list[Message], failed: list[Message]) -> None:
        try:
            for one, another in zip(taken, failed, strict=True):
                landings = [landed(one, Outcome.SUBMITTED), landed(another, Outcome.PERMANENT)]
                together.wait(timeout=60)
                transitions.record_submit_results(landings, datetime.now(UTC))
        except Error as problem:
            problems.append(problem)
            together.abort()
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


def working(work: Callable[[], None], problems: list[Error]) -> threading.Thread:
    """Does the work in a thread of its own; what PostgreSQL has against it goes to the problems."""

    def run() -> None:
        try:
            work()
        except Error as problem:
            problems.append(problem)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def waiting(works: Sequence[Callable[[], None]], problems: list[Error]) -> list[threading.Thread]:
    """Begins each of the works, one after the other, once those before it wait for a row that another holds."""
    threads: list[threading.Thread] = []
    for work in works:
        threads.append(working(work, problems))
        eventually(lambda: waiting_for_a_lock() == len(threads))
    return threads


def waiting_for_a_lock() -> int:
    """How many of the test's own connections wait for a row that another holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_matching_reports_holds_no_balance_while_it_waits_for_another(
    world: SimpleNamespace, send: Send, reported: Reported
) -> None:
    """One message in doubt is of the second account, the other, with a higher number, of the first."""
    Price.objects.create(message_class="mms", amount=50)
    second = Account.objects.create(name="Second")
    for account in (world.account, second):
        ledger.top_up(account, 1000, "", datetime.now(UTC))
    messages = [send(to=number) for number in ("14044790000", "14044790001")]
    Message.objects.filter(pk=messages[0].pk).update(account=second)
    claimed, _ = claiming.claim_messages(datetime.now(UTC), len(messages))
    transitions.record_submit_results([landed(message, Outcome.IN_DOUBT) for message in claimed], datetime.now(UTC))
    for name, message in zip("AB", messages, strict=True):
        reported(name, "Retrieved", number=message.number)
    problems: list[Error] = []

    def book() -> None:
        with transaction.atomic():
            ledger.lock_balances({world.account.pk, second.pk})

    def wake() -> None:
        sweeper.sweep(datetime.now(UTC) + timedelta(seconds=2))

    with transaction.atomic():
        ledger.lock_balances({world.account.pk, 0})
        threads = waiting((book, wake), problems)
    for thread in threads:
        thread.join()
    assert problems == []
    assert Message.objects.filter(status="delivered").count() == 2


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_claim_that_joins_a_discovery_holds_no_message_that_its_report_waits_for(
    world: SimpleNamespace, send: Send, reported: Reported, drive: Drive
) -> None:
    """The first message has gone on without the report, and is due together with one that joins the discovery."""
    ddm = "<ddm-message-text>What is your telephone?</ddm-message-text>"
    send(f"{ddm}<ddm-message-timeout>1</ddm-message-timeout>")
    send(ddm)  # keeps it open
    drive()
    now = datetime.now(UTC) + timedelta(seconds=61)
    sweeper.sweep(now)
    send(f"{ddm}<ddm-message-timeout>1</ddm-message-timeout>")
    problems: list[Error] = []
    statuses: list[int] = []

    def report() -> None:
        statuses.append(reported("M1", "Retrieved", IPHONE))

    def claim() -> None:
        claiming.claim_messages(now, 10)

    with transaction.atomic():
        Discovery.objects.select_for_update(no_key=True).get()
        threads = waiting((report, claim), problems)
    for thread in threads:
        thread.join()
    assert (problems, statuses) == ([], [200])
    assert Discovery.objects.get().answered_at


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_report_is_not_taken_for_that_of_a_doubtful_message_while_the_right_one_is_answered(
    world: SimpleNamespace, send: Send, reported: Reported
) -> None:
    """The second message's report comes before its answer, which is stored while the report is being matched."""
    doubtful, answered = send(), send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 2)
    transitions.record_submit_results([landed(claimed[0], Outcome.IN_DOUBT)], datetime.now(UTC))
    landing = landed(claimed[1], Outcome.SUBMITTED, "M2")
    reported("M2", "Retrieved")
    problems: list[Error] = []
    asked: list[str] = []

    def store_the_answer() -> None:
        transitions.record_submit_results([landing], datetime.now(UTC))

    def by_name(execute: Callable[..., object], sql: str, *rest: object) -> object:
        found = execute(sql, *rest)
        asked.extend([sql] if sql == report_matching.ATTEMPTS_BY_MMSC_ID else [])
        if len(asked) == 2 and landing.attempt.finished_at is None:  # for all that are due, then for this one
            working(store_the_answer, problems).join()
        return found

    with connection.execute_wrapper(by_name):
        sweeper.sweep(datetime.now(UTC) + timedelta(seconds=2))
    assert (landing.attempt.finished_at is not None, problems) == (True, [])
    sweeper.sweep(datetime.now(UTC) + timedelta(minutes=1))
    doubtful.refresh_from_db()
    answered.refresh_from_db()
    assert (doubtful.status, answered.status) == ("in_doubt", "delivered")


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_two_workers_never_give_one_attempt_to_two_reports(
    world: SimpleNamespace, send: Send, reported: Reported
) -> None:
    """Each of them has a report that may be that of the one attempt without a name; the second is the quicker."""
    send()
    claimed, _ = claiming.claim_messages(datetime.now(UTC), 1)
    transitions.record_submit_results([landed(claimed[0], Outcome.IN_DOUBT)], datetime.now(UTC))
    for name, status in (("X1", "Retrieved"), ("Y9", "Expired")):
        reported(name, status)
    soon, problems = datetime.now(UTC) + timedelta(seconds=2), list[Error]()

    def match() -> None:
        with transaction.atomic():
            report_matching.match_again(soon, 1)

    def naming(execute: Callable[..., object], sql: str, *rest: object) -> object:
        if sql.startswith('UPDATE "mms_attempt"'):
            working(match, problems).join()
        return execute(sql, *rest)

    with connection.execute_wrapper(naming):
        match()
    [matched] = Report.objects.filter(attempt__isnull=False)
    assert (matched.mmsc_id, matched.attempt.mmsc_id if matched.attempt else "", problems) == ("Y9", "Y9", [])
