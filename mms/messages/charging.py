"""What the steps of a message mean for its account: each books in the transaction of the step.

A message is paid for when its carrier has taken it. The DDM is paid for by the first of the messages that wait for
it. What is never submitted costs nothing but its DDM; what is submitted and not delivered is given back where the
account's policy says so.
"""

from collections.abc import Iterable
from datetime import datetime

from base import sql
from billing import ledger
from billing.ledger import Charge
from mms.models import Message

PAYING = "SELECT id FROM mms_message WHERE id = ANY(%s) AND pays_ddm"


def hold(messages: Iterable[Message]) -> None:
    """Comes first in a transaction that books for several messages in more than one step."""
    ledger.hold({message.account_id for message in messages if message.reserved})


def submitted(messages: Iterable[Message], now: datetime) -> None:
    """The carrier took them: their price is settled, the rest of what was reserved released."""
    ledger.settle((_charge(message, message.price_mms + _ddm(message)) for message in _fresh(messages)), now)


def never_submitted(messages: Iterable[Message], now: datetime) -> None:
    """They ended before a carrier took them: all that was reserved is released, but for the DDM that was sent."""
    ledger.settle((_charge(message, _ddm(message)) for message in _fresh(messages)), now)


def undelivered(messages: Iterable[Message], now: datetime) -> None:
    """They were submitted and then expired, were rejected or failed: given back where the account's policy says so."""
    lenient = [message for message in _fresh(messages) if message.account.refund_undelivered]
    ledger.refund((_charge(message, message.price_mms) for message in lenient), now)


def _fresh(messages: Iterable[Message]) -> list[Message]:
    """Those that something was reserved for. Who pays for a DDM is decided after the message was claimed."""
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
