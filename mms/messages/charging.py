"""Charging: the ledger bookings of each step of a message, in the transaction of the step.

A message is charged when its carrier accepts it. The message that opened a discovery pays for its DDM (discovery.py). A
message that is never submitted costs nothing but its DDM; a submitted message that is not delivered is refunded if the
account's policy says so.
"""

from collections.abc import Iterable
from datetime import datetime

from base import sql
from billing import ledger
from billing.ledger import Charge
from mms.models import Message

PAYING_DDM = "SELECT id FROM mms_message WHERE id = ANY(%s) AND pays_ddm"


def lock_balances(messages: Iterable[Message]) -> None:
    """Lock the balances of the messages' accounts, before a transaction books for several of them in several steps."""
    ledger.lock_balances({message.account_id for message in messages if message.reserved})


def lock_free_balances(messages: Iterable[Message]) -> set[int]:
    """Lock the balances that no other transaction holds. Return the accounts of those that one holds."""
    return ledger.lock_free_balances({message.account_id for message in messages if message.reserved})


def charge_submitted(messages: Iterable[Message], now: datetime) -> None:
    """Charge messages that their carrier accepted: settle the price and release the rest of the reservation."""
    ledger.charge((_charge(message, message.price_mms + _ddm(message)) for message in _reserved(messages)), now)


def release_unsubmitted(messages: Iterable[Message], now: datetime) -> None:
    """Release the reservation of messages that ended unsubmitted, except the price of a DDM that was sent."""
    ledger.charge((_charge(message, _ddm(message)) for message in _reserved(messages)), now)


def refund_undelivered(messages: Iterable[Message], now: datetime) -> None:
    """Refund submitted messages that expired, were rejected or failed, if the account's policy says so."""
    refundable = [message for message in _reserved(messages) if message.account.refund_undelivered]
    ledger.refund((_charge(message, message.price_mms) for message in refundable), now)


def _reserved(messages: Iterable[Message]) -> list[Message]:
    """Return the messages with a reservation, with `pays_ddm` read anew: it may have changed since they were loaded."""
    priced = [message for message in messages if message.reserved]
    candidates = [message.pk for message in priced if message.ddm_text]
    paying = {key for (key,) in sql.fetch_rows(PAYING_DDM, [candidates])} if candidates else set()
    for message in priced:
        message.pays_ddm = message.pk in paying
    return priced


def _ddm(message: Message) -> int:
    return message.price_ddm if message.pays_ddm else 0


def _charge(message: Message, amount: int) -> Charge:
    return Charge(message.account_id, message.pk, amount, message.reserved)
