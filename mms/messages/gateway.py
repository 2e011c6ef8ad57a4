"""Our side of MM7 towards an MMSC: the HTTP request of a submit, and what its reply or silence means."""

from datetime import datetime, timedelta
from typing import Final

from mms.mm7.answers import Answer, read_answer
from mms.mm7.codes import Outcome
from mms.mm7.submit import Flavour, Part, Submission, encode
from mms.models import Carrier, Discovery, Message
from mms.runtime.http_client import NoReply, Reply, Request

# The latest ExpiryDate, counted from the submit, that MMSCs take.
LONGEST_EXPIRY: Final = timedelta(days=3)


def request(sent: Message | Discovery, parts: tuple[Part, ...], now: datetime) -> Request:
    """The SubmitReq that hands these parts to the carrier's MMSC, under the same TransactionID on every try."""
    carrier = sent.carrier
    encoded = encode(
        Submission(
            transaction_id=sent.transaction_id,
            vaspid=carrier.vaspid,
            vasid=carrier.vasid,
            sender=sent.sender,
            recipient=sent.number,
            subject=sent.subject,
            parts=parts,
            created_at=sent.created_at,
            expires_at=min(sent.expires_at, now + LONGEST_EXPIRY),
        ),
        Flavour(carrier.mm7_version, carrier.mm7_namespace, carrier.base64_parts),
    )
    user = (carrier.mmsc_username, carrier.mmsc_password)
    auth = user if carrier.mmsc_username else None
    return Request(carrier.mmsc_url, encoded.body, encoded.headers, float(carrier.timeout), auth)


def answer(carrier: Carrier, result: Reply | NoReply) -> Answer:
    """What became of the submit. Silence after the whole request was written leaves it in doubt."""
    if isinstance(result, NoReply):
        outcome = Outcome.IN_DOUBT if result.written else Outcome.TRANSIENT
        return Answer(outcome, None, result.reason, None)
    overrides = {int(code): Outcome(outcome) for code, outcome in carrier.code_overrides.items()}
    return read_answer(result.status, result.content_type, result.body, overrides)
