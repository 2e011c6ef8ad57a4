"""What an accept does for the orders of many customers at once: looks at the truth once more, and numbers messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

from billing import blocklist, keys
from billing.ledger import InsufficientFunds
from config import prepared
from mms import removal
from mms.models import Message
from mms.order import Order

NEW_KEYS = "SELECT nextval(pg_get_serial_sequence('mms_message', 'id')) FROM generate_series(1, %s)"


class TemplateDeleted(Exception):
    """The template was deleted while the order for it was being checked."""


class Outdated(Exception):
    """The order was checked against what no longer holds: it has to be checked anew."""


class OutcomeUnknown(Exception):
    """The connection was lost during the commit: the orders may have been accepted or not."""


Fault: TypeAlias = TemplateDeleted | Outdated
Outcome: TypeAlias = Message | Fault | InsufficientFunds


def faults(orders: Sequence[Order], now: datetime) -> list[Fault | None]:
    """Why each of the orders cannot be accepted, if so. The caller's transaction holds the templates from here on."""
    usable = removal.usable({order.template.pk for order in orders})
    used = {order.key.pk: order.key for order in orders if order.key}.values()
    terms = keys.terms({key.pk for key in used}) if used else {}
    blocked = blocklist.blocked({_recipient(order) for order in orders if order.key}) if used else set()
    keys.used(used, now)

    def fault(order: Order) -> Fault | None:
        if order.template.pk not in usable:
            return TemplateDeleted()
        # Each by its own look at the key: of one key, there may have been several, and a change between them.
        if order.key and (terms.get(order.key.pk) != keys.terms_of(order.key) or _recipient(order) in blocked):
            return Outdated()
        return None

    return [fault(order) for order in orders]


def _recipient(order: Order) -> tuple[int, str]:
    return order.account.pk, order.number


def new_keys(count: int) -> list[int]:
    """Primary keys for so many messages."""
    return [key for (key,) in prepared.rows(NEW_KEYS, [count])] if count else []
