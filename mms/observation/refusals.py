"""The latest refusals of a carrier's MMSC: what it answered to submits that it did not accept, most recent first.

Operators see them on the carrier's page and in the doctor: a wrong password is refused message by message, and nothing
else tells it from an MMSC at work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from mms.models import Attempt, Carrier

WINDOW: Final = timedelta(days=1)
MAX_ROWS: Final = 200  # refused attempts that are read, the latest ones of the window
MAX_KINDS: Final = 3
# The MMSC does not know us, or not under this address. It has not looked at the message.
MISCONFIGURED: Final = frozenset({301, 302, 307, 308, 401, 403, 404, 405, 407})
# As above, in MM7: improper identification, unsupported version, unsupported operation, validation error, service or
# application denied.
MISCONFIGURED_CODES: Final = frozenset({4001, 4002, 4003, 4004, 4007, 4008})


@dataclass(slots=True)
class Refusal:
    """Refusals of one kind: the latest one's time and text, and how many there were."""

    http_status: int | None
    code: int | None
    text: str
    at: datetime
    count: int = 0

    @property
    def is_of_us(self) -> bool:
        """Whether the refusal is about the platform's access, and not about a message."""
        return self.code in MISCONFIGURED_CODES if self.code else self.http_status in MISCONFIGURED

    def __str__(self) -> str:
        status = f"HTTP {self.http_status}" if self.http_status else ""
        what = " ".join(filter(None, [status, f"code {self.code}" if self.code else "", self._text]))
        return f"{what or 'no code'} ({self.count:,}, last at {self.at:%Y-%m-%d %H:%M:%S} UTC)"

    @property
    def _text(self) -> str:
        """The text without the HTTP status that an answer without SOAP begins with."""
        return self.text.removeprefix(f"HTTP {self.http_status}: ")[:100]


def latest(carrier: Carrier, now: datetime, mask: Callable[[str], str]) -> list[Refusal]:
    """Return the kinds of refusals among the latest of the window, the most recent kind first, with masked texts."""
    refused = Attempt.objects.filter(carrier=carrier, outcome__in=Attempt.REFUSED).order_by("-id")[:MAX_ROWS]
    kinds: dict[tuple[int | None, int | None], Refusal] = {}
    for attempt in refused:
        if attempt.started_at < now - WINDOW:
            break
        at = attempt.finished_at or attempt.started_at
        found = Refusal(attempt.http_status, attempt.code, attempt.text, at)
        kinds.setdefault((attempt.http_status, attempt.code), found).count += 1
    found_kinds = list(kinds.values())[:MAX_KINDS]
    for kind in found_kinds:
        kind.text = mask(kind.text)
    return found_kinds
