"""Charging: what each step of a message books in the ledger, in the transaction of the step.

A message is charged when its carrier accepted it. The first of the messages that wait for a DDM pays for it. A message
that is never submitted costs nothing but its DDM; one that is submitted and not delivered is refunded if the account's
policy says so.
"""

from collections.abc import Iterable
from datetime import datetime

from base import sql
from billing import ledger
from billing.ledger import Charge
from mms.models import Message

PAYING = "SELECT id FROM mms_message WHERE id = ANY(%s) AND pays_ddm"


def lock_balances(messages: Iterable[Message]) -> None:
    """Lock the balances of the messages, before a transaction books for several of them in more than one step."""
    ledger.lock_balances({message.account_id for message in messages if message.reserved})


def charge_submitted(messages: Iterable[Message], now: datetime) -> None:
    """Charge messages that their carrier accepted: settle the price, release the rest of the reservation."""
    ledger.charge((_charge(message, message.price_mms + _ddm(message)) for message in _reserved(messages)), now)


def release_unsubmitted(messages: Iterable[Message], now: datetime) -> None:
    """Release the reservation of messages that ended before a carrier accepted them, but for a DDM that was sent."""
    ledger.charge((_charge(message, _ddm(message)) for message in _reserved(messages)), now)


def refund_undelivered(messages: Iterable[Message], now: datetime) -> None:
    """Refund submitted messages that expired, were rejected or failed, if the account's policy says so."""
    lenient = [message for message in _reserved(messages) if message.account.refund_undelivered]
    ledger.refund((_charge(message, message.price_mms) for message in lenient), now)


def _reserved(messages: Iterable[Message]) -> list[Message]:
    """Return the messages with a reservation. Who pays for a DDM is read anew: claiming decides it."""
    priced = [message for message in messages if message.reserved]
    perhaps = [message.pk for message in priced if message.ddm_text]
    paying = {key for (key,) in sql.rows(PAYING, [perhaps])} if perhaps else set()
    for message in priced:
        message.pays_ddm = message.pk in paying
    return priced


def _ddm(message: Message) -> int:
    return message.price_ddm if message.pays_ddm else 0


def _charge(message: Message, amount: int) -> Charge:
    return Charge(message.account_id, message.pk, amount, message.reserved)
