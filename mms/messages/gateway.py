"""The gateway to carriers: translates submit requests into HTTP requests, and replies into results.

All carriers use MM7 today. A second protocol would be a package like mm7/ and a branch here.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from mms.mm7.answers import read_answer
from mms.mm7.submit import MM7Options, Submission, encode
from mms.models import Carrier, Discovery, Message
from mms.protocol.submit import Outcome, Part, SubmitRequest, SubmitResult
from mms.runtime.http_client import NoReply, Reply, Request

# The latest ExpiryDate, counted from the submit, that MMSCs accept.
LONGEST_EXPIRY: Final = timedelta(days=3)


def submit_request(sent: Message | Discovery, parts: tuple[Part, ...], now: datetime) -> SubmitRequest:
    """Return the request that submits these parts. Every try has the same transaction ID."""
    return SubmitRequest(
        transaction_id=sent.transaction_id,
        sender=sent.sender,
        recipient=sent.number,
        subject=sent.subject,
        parts=parts,
        created_at=sent.created_at,
        expires_at=min(sent.expires_at, now + LONGEST_EXPIRY),
    )


def http_request(carrier: Carrier, request: SubmitRequest) -> Request:
    """Return the HTTP request that submits to the carrier's MMSC."""
    encoded = encode(
        Submission(
            vaspid=carrier.vaspid,
            vasid=carrier.vasid,
            transaction_id=request.transaction_id,
            sender=request.sender,
            recipient=request.recipient,
            subject=request.subject,
            parts=request.parts,
            created_at=request.created_at,
            expires_at=request.expires_at,
        ),
        MM7Options(carrier.mm7_version, carrier.mm7_namespace, carrier.base64_parts),
    )
    user = (carrier.mmsc_username, carrier.mmsc_password)
    auth = user if carrier.mmsc_username else None
    return Request(carrier.mmsc_url, encoded.body, encoded.headers, float(carrier.timeout), auth)


def submit_result(carrier: Carrier, reply: Reply | NoReply) -> SubmitResult:
    """Return the result of the submit. Without a reply it is in doubt, or unreachable if not completely written."""
    if isinstance(reply, NoReply):
        outcome = Outcome.IN_DOUBT if reply.written else Outcome.UNREACHABLE
        return SubmitResult(outcome, None, reply.reason, None)
    overrides = {int(code): Outcome(outcome) for code, outcome in carrier.code_overrides.items()}
    result = read_answer(reply.status, reply.content_type, reply.body, overrides)
    text = f"HTTP {reply.status}: {reply.problem}" if reply.problem else result.text
    return replace(result, http_status=reply.status, text=text)
