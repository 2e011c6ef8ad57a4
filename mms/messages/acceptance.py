"""What an accept does for the orders of many customers at once: looks at the truth once more, and numbers messages."""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, TypeAlias

from base import sql
from billing import blocklist, keys
from billing.ledger import InsufficientFunds
from mms.content import deletion
from mms.messages.request import Order
from mms.models import Message

NEW_KEYS = "SELECT nextval(pg_get_serial_sequence('mms_message', 'id')) FROM generate_series(1, %s)"


class TemplateDeleted(Exception):
    """The template was deleted while the order for it was being checked."""


class Outdated(Exception):
    """The order was checked against what no longer holds: it has to be checked anew."""


class OutcomeUnknown(Exception):
    """The connection was lost during the commit: the orders may have been accepted or not."""


Fault: TypeAlias = TemplateDeleted | Outdated
Outcome: TypeAlias = Message | Fault | InsufficientFunds


def looked_over(orders: Sequence[Order], now: datetime) -> list[int | Fault]:
    """For each of the orders the primary key of its message, or why it cannot be accepted.

    The caller's transaction holds the templates from here on.
    """
    recalled = [order for order in orders if order.recalled]
    with sql.at_once():
        usable = deletion.usable({order.template.pk for order in orders})
        keys.used([order.key for order in orders if order.key], now)
        terms = keys.terms({order.key.pk for order in recalled if order.key})
        blocked = blocklist.blocked({_recipient(order) for order in recalled})
        numbers = sql.ask(NEW_KEYS, [len(orders)])
    fault = _judge(usable(), terms(), blocked())
    return [fault(order) or number for order, (number,) in zip(orders, numbers(), strict=True)]


def _judge(
    usable: Set[int], terms: Mapping[int, Sequence[Any]], blocked: Set[tuple[int, str]]
) -> Callable[[Order], Fault | None]:
    def fault(order: Order) -> Fault | None:
        if order.template.pk not in usable:
            return TemplateDeleted()
        return Outdated() if order.recalled and outdated(order) else None

    def outdated(order: Order) -> bool:
        # Each by its own look at the key: of one key, there may have been several, and a change between them.
        changed = order.key is not None and terms.get(order.key.pk) != keys.terms_of(order.key)
        return changed or _recipient(order) in blocked

    return fault


def _recipient(order: Order) -> tuple[int, str]:
    return order.account.pk, order.number
