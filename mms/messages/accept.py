"""Accept: store a batch of validated send requests as messages, and reserve their prices, in one transaction.

Whatever was validated against the stale cache is checked again in that transaction: API key, account, block list,
template.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from django.db import InterfaceError, OperationalError, transaction

from base import bulk, sql
from base.stale_cache import Freshness
from billing import blocklist, keys, ledger, prices
from billing.ledger import InsufficientFunds, Reservation
from handsets import cache
from handsets.cache import Hint
from mms.content import deletion
from mms.messages import gateway, timeline
from mms.messages.request import SendRequest
from mms.messages.timeline import Entry
from mms.models import Message, Status, Template

# The longest time from accept to delivery; a customer may ask for less.
EXPIRY: Final = gateway.LONGEST_EXPIRY

NEW_KEYS = "SELECT nextval(pg_get_serial_sequence('mms_message', 'id')) FROM generate_series(1, %s)"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is stored and its price reserved."""

    message: Message


@dataclass(frozen=True, slots=True)
class TemplateDeleted:
    """The template was deleted after the request was validated."""


@dataclass(frozen=True, slots=True)
class Outdated:
    """The cached data used in the validation has changed: validate the request again with current data."""


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """The connection broke during the commit. The message may be stored, so the request must not be accepted again."""

    problem: Exception


Rejected: TypeAlias = TemplateDeleted | Outdated
Outcome: TypeAlias = Accepted | InsufficientFunds | Rejected | OutcomeUnknown


@sql.repeats_outdated
def accept(requests: Sequence[SendRequest], now: datetime, lock_wait: float | None = None) -> list[Outcome]:
    """Store a message for each request and reserve its price, in one transaction. Return the outcomes in order.

    Nothing is stored for a request that is not accepted. A message whose template is still being encoded waits for
    that. With `lock_wait`, it waits no more than these seconds for a row that another transaction holds. Raises
    DatabaseError; then nothing is stored.
    """
    in_commit = False
    try:
        with transaction.atomic():
            outcomes = _store(requests, now, lock_wait)
            in_commit = True
    except (InterfaceError, OperationalError) as problem:
        if in_commit and not sql.has_timed_out(problem):
            return [OutcomeUnknown(problem)] * len(requests)
        raise
    return outcomes


def max_lifetime(ddm_timeout: int) -> timedelta:
    """Return the longest lifetime of a message: the longest that MMSCs allow, plus the discovery timeout in minutes.

    Without that addition, the longest discovery would leave no time for the message itself.
    """
    return timedelta(minutes=ddm_timeout) + EXPIRY


def _store(requests: Sequence[SendRequest], now: datetime, lock_wait: float | None) -> list[Outcome]:
    checked = _recheck(requests, now, lock_wait)
    valid = {key: request for request, key in zip(requests, checked, strict=True) if isinstance(key, int)}
    messages = [_message(request, key, now) for key, request in valid.items()]
    unpaid = ledger.reserve_all([Reservation(m.account, m.pk, m.reserved) for m in messages], now)
    paid = [message for message in messages if message.pk not in unpaid]
    with sql.pipeline():
        bulk.execute_insert(paid)
        timeline.write(map(_timeline_entry, paid), now)
    # Every transaction locks cached handsets last, after balances.
    hints = [Hint(message.number, valid[message.pk].device) for message in paid]
    cache.record_hints([hint for hint in hints if hint.identity], now)
    outcomes: Mapping[int, Outcome] = {**unpaid, **{message.pk: Accepted(message) for message in paid}}
    return [outcomes[key] if isinstance(key, int) else key for key in checked]


# --- recheck ------------------------------------------------------------------------------------------------------


def _recheck(requests: Sequence[SendRequest], now: datetime, lock_wait: float | None) -> list[int | Rejected]:
    """Return a primary key for the message of each request, or the rejection.

    Locks the templates until the end of the transaction.
    """
    cached = [request for request in requests if request.freshness is Freshness.CACHED]
    with sql.pipeline():
        if lock_wait:
            sql.limit_lock_waits(lock_wait)
        usable = deletion.lock_usable({request.template.pk for request in requests})
        keys.record_use([request.key for request in requests if request.key], now)
        terms = keys.access_rules({request.key.pk for request in cached if request.key})
        blocked = blocklist.blocked_pairs({_recipient(request) for request in cached})
        numbers = sql.execute(NEW_KEYS, [len(requests)])
    current = _Current(usable(), terms(), blocked())
    return [current.rejection(request) or key for request, (key,) in zip(requests, numbers(), strict=True)]


@dataclass(frozen=True, slots=True)
class _Current:
    """Current data: the usable templates, the terms of each valid API key, the blocked recipients."""

    templates: Set[int]
    terms: Mapping[int, Sequence[Any]]
    blocked: Set[tuple[int, str]]

    def rejection(self, request: SendRequest) -> Rejected | None:
        """Return why the request is rejected, or None."""
        if request.template.pk not in self.templates:
            return TemplateDeleted()
        return Outdated() if request.freshness is Freshness.CACHED and self._is_outdated(request) else None

    def _is_outdated(self, request: SendRequest) -> bool:
        # Compare this request's own key object: the batch may hold older and newer reads of the same key.
        changed = request.key is not None and self.terms.get(request.key.pk) != keys.access_rules_of(request.key)
        return changed or _recipient(request) in self.blocked


def _recipient(request: SendRequest) -> tuple[int, str]:
    return request.account.pk, request.number


# --- message ------------------------------------------------------------------------------------------------------


def _message(request: SendRequest, key: int, now: datetime) -> Message:
    expiry = _expiry(request, now)
    encoding = request.template.status == Template.Status.ENCODING
    status, due_at = (Status.ENCODING, expiry) if encoding else (Status.ACCEPTED, now)
    return Message(
        pk=key,
        **request.message_fields(),
        **_prices(request),
        status=status,
        due_at=due_at,
        created_at=now,
        expires_at=expiry,
    )


def _expiry(request: SendRequest, now: datetime) -> datetime:
    latest = now + max_lifetime(request.ddm_timeout if request.ddm_text else 0)
    return min(request.expires_at or latest, latest)


def _prices(request: SendRequest) -> dict[str, int]:
    """Return the prices, which may be cached, and the amount to reserve: the highest that the message may cost."""
    quote = prices.quote(request.freshness, request.account, request.country, request.carrier.operator_id)
    return {"price_mms": quote.mms, "price_ddm": quote.ddm, "reserved": quote.maximum(ddm=bool(request.ddm_text))}


def _timeline_entry(message: Message) -> Entry:
    return Entry(message, "accepted", f"to {message.carrier} from {message.sender}")
