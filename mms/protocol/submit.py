"""Submit requests and their results, independent of the carrier's protocol."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

SMIL: Final = "application/smil"

# Values allowed in a MIME header without quoting or folding: no line ends, spaces or brackets.
_CONTENT_ID: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~@-]{1,200}", re.ASCII)
_LOCATION: Final = re.compile(r"[!#-;=?-~]{1,200}")
_MIME_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,100}/[\w!#$&^.+-]{1,100}", re.ASCII)
_CHARSET: Final = re.compile(r"[\w.+:-]{1,40}", re.ASCII)


class Outcome(StrEnum):
    """The outcome of a submit."""

    SUBMITTED = "submitted"
    TRANSIENT = "transient"  # not accepted; the same request may succeed later
    LIMITED = "limited"  # not accepted; worth a few tries only
    PERMANENT = "permanent"  # not accepted, and a retry would not help
    CONTENT_REFUSED = "content_refused"  # not accepted; smaller or simpler content might be
    UNREACHABLE = "unreachable"  # the request never left, or only a part of it
    IN_DOUBT = "in_doubt"  # the answer never came


# Nothing is known about the MMSC but that it gave no answer.
UNANSWERED: Final = frozenset({Outcome.UNREACHABLE, Outcome.IN_DOUBT})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the content: the SMIL, a text or a medium. Only texts have a `charset`.

    Raises ValueError for a field that is not allowed in a MIME header.
    """

    content_id: str
    location: str
    mime_type: str
    data: bytes
    charset: str | None = None

    def __post_init__(self) -> None:
        _require("content_id", self.content_id, _CONTENT_ID)
        _require("location", self.location, _LOCATION)
        _require("mime_type", self.mime_type, _MIME_TYPE)
        if self.charset is not None:
            _require("charset", self.charset, _CHARSET)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitRequest:
    """A message or DDM to one number, ready to be encoded in the carrier's protocol.

    `transaction_id` is the same on every try. `sender` and `recipient` are digits without `+`; `parts` begins with the
    SMIL, if there is one. The carrier may deliver until `expires_at`.
    """

    transaction_id: str
    sender: str
    recipient: str
    subject: str
    parts: tuple[Part, ...]
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SubmitResult:
    """The result of a submit: the outcome, with code and text as the carrier gave them.

    `message_id` is the carrier's ID of the message. A failure may have one, and a success may lack it. `http_status` is
    that of the answer, None without an answer.
    """

    outcome: Outcome
    code: int | None
    text: str
    message_id: str | None
    http_status: int | None = None


def _require(name: str, given: str, allowed: re.Pattern[str]) -> None:
    if not allowed.fullmatch(given):
        raise ValueError(f"{name}: {given[:80]!r} is not allowed here")
