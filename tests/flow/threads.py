"""Helpers for concurrency tests: threads with their own connections, and submits with a given outcome."""

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from django.db import Error, connection

from mms.messages import attempts
from mms.messages.attempts import CompletedSubmit
from mms.models import Message
from mms.protocol.submit import Outcome, SubmitResult
from tests.processes.platform_under_test import eventually


def submit_with_outcome(message: Message, outcome: Outcome, name: str | None = None) -> CompletedSubmit[Message]:
    """Write the attempt of a claimed message. Return its submit, completed with the outcome but not recorded."""
    [(sent, attempt)] = attempts.start([(message, 1000)], datetime.now(UTC))
    return CompletedSubmit(sent, attempt, SubmitResult(outcome, None, "", name))


def run_in_thread(work: Callable[[], None], problems: list[Error]) -> threading.Thread:
    """Do the work in a new thread. Database errors are appended to `problems`."""

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


def start_one_by_one(works: Sequence[Callable[[], None]], problems: list[Error]) -> list[threading.Thread]:
    """Start each of the works once all works before it wait for a lock."""
    threads: list[threading.Thread] = []
    for work in works:
        threads.append(run_in_thread(work, problems))
        eventually(lambda: count_lock_waits() == len(threads))
    return threads


def count_lock_waits() -> int:
    """Return the number of connections to the test database that wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # otherwise a transaction sees its first snapshot again
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchone()[0])
