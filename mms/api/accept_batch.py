"""Accept batches: plain sendSavedMMS requests that arrive at the same moment are accepted in one transaction.

The leader of the group commit parses, checks, accepts and answers the requests one by one: concurrent threads would
contend for the interpreter. The checks use the stale cache, so the batch refuses nothing. A request that it cannot
accept is performed by its own thread, with current data and in the documented order of checks. So are all of them if a
row that one of them needs is locked for longer than a moment: one account must not hold up the others.
"""

from collections.abc import Sequence
from typing import Final

from django.db import Error, OperationalError
from django.http import HttpResponse
from django.utils import timezone

from base import sql
from base.stale_cache import Freshness
from billing.actions import Action
from mms.api import accept_alone, actions, send_parameters, send_saved_mms
from mms.api.exchange import Exchange
from mms.messages.accept import Accepted, Outcome, OutcomeUnknown, accept
from mms.messages.request import SendRequest
from mms.runtime import wakeup
from mms.runtime.group_commit import UNDECIDED, Batch, GroupCommit, Undecided

ACTION: Final = Action.SEND_SAVED_MMS
MARKER: Final = ACTION.encode()
# Requests with these parameters need more than an accept.
NOT_PLAIN: Final = ("dry_run", "idempotency_key")
MAX_BODY: Final = 16_384  # bytes; the batch waits while the leader parses a request
MAX_WAIT: Final = 0.01  # seconds


def is_candidate(exchange: Exchange) -> bool:
    """Return whether the request may be a plain sendSavedMMS, without parsing it."""
    return len(exchange.body) <= MAX_BODY and not exchange.idempotency_key and MARKER in exchange.body.lower()


def submit(exchange: Exchange) -> HttpResponse:
    """Return the response to a candidate, accepted in a batch or performed alone. Raises Refusal."""
    return ACCEPTS.submit(exchange)


def _commit(batch: Batch[Exchange]) -> Sequence[HttpResponse | Undecided]:
    try:
        return _accept(batch)
    except OperationalError as problem:
        if not sql.is_unreachable(problem):
            raise
        return [exchange.fail(problem) for exchange in batch.all()]  # alone, each would wait for a connection as well


def _accept(batch: Batch[Exchange]) -> list[HttpResponse | Undecided]:
    checked = [(exchange, _check(exchange)) for exchange in batch]
    requests = [request for _, request in checked if isinstance(request, SendRequest)]
    outcomes = iter(accept(requests, timezone.now(), accept_alone.BRIEF_WAIT) if requests else ())
    return [
        _respond(exchange, next(outcomes), batch) if isinstance(request, SendRequest) else request
        for exchange, request in checked
    ]


def _check(exchange: Exchange) -> SendRequest | Undecided:
    """Check a request against cached data. Raises django.db.Error, which fails the whole batch."""
    try:
        call = exchange.call()
        if call.name != ACTION or any(call.request.all(name) for name in NOT_PLAIN):
            return UNDECIDED
        key = call.authorize((ACTION,), Freshness.CACHED)
        if accept_alone.is_waiting(key.account):
            return UNDECIDED
        request = send_parameters.parse(call.request, key, Freshness.CACHED)
        send_saved_mms.check_not_suspended(key.account)
    except Error:
        raise
    except Exception:  # noqa: BLE001 - the request's own thread will raise it again
        return UNDECIDED
    return request


def _respond(exchange: Exchange, outcome: Outcome, batch: Batch[Exchange]) -> HttpResponse | Undecided:
    """Return the response. Never raises, or an accepted request would be performed again."""
    try:
        match outcome:
            case Accepted(message):
                return exchange.succeed(send_saved_mms.queued_answer(message), batch.log_fields)
            case OutcomeUnknown(problem):
                return exchange.fail(problem)
    except Exception as problem:  # noqa: BLE001 - it is logged with its traceback
        return exchange.fail(problem)
    return UNDECIDED


def _wake_workers(results: Sequence[HttpResponse | Undecided]) -> None:
    if any(result is not UNDECIDED for result in results):
        wakeup.wake(wakeup.WORK)


ACCEPTS: Final = GroupCommit(
    commit=_commit, on_batch_failure=actions.perform, max_wait=MAX_WAIT, after_commit=_wake_workers
)
