"""Workers that meet over the same rows."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django.db import Error, connection

from billing import ledger
from billing.models import Account, Price
from mms import flow, submission
from mms.mm7.answers import Answer
from mms.mm7.codes import Outcome
from mms.models import Message
from mms.submission import Landing

Send = Callable[..., Message]

ROUNDS = 10


def landed(message: Message, outcome: Outcome) -> Landing[Message]:
    [(sent, attempt)] = submission.start([(message, 1000)], datetime.now(UTC))
    return Landing(sent, attempt, Answer(outcome, None, "", None))


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_workers_that_book_for_the_same_accounts_never_deadlock(world: SimpleNamespace, send: Send) -> None:
    """One takes a message of the first account and fails one of the second, the other the other way round."""
    Price.objects.create(message_class="mms", amount=50)
    ledger.top_up(world.account, 50 * 4 * ROUNDS, "", datetime.now(UTC))
    other = Account.objects.create(name="Other")
    ledger.top_up(other, 0, "", datetime.now(UTC))
    messages = [send() for _ in range(4 * ROUNDS)]
    Message.objects.filter(pk__in=[message.pk for message in messages[::2]]).update(account=other)
    claimed, _ = flow.claim(datetime.now(UTC), len(messages))
    first = [message for message in claimed if message.account_id == world.account.pk]
    second = [message for message in claimed if message.account_id == other.pk]
    together, problems = threading.Barrier(2), list[Error]()

    def work(taken: list[Message], failed: list[Message]) -> None:
        try:
            for one, another in zip(taken, failed, strict=True):
                landings = [landed(one, Outcome.SUBMITTED), landed(another, Outcome.PERMANENT)]
                together.wait(timeout=60)
                flow.submitted(landings, datetime.now(UTC))
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
