"""Following messages from both ends: the platform's timeline, and what the simulated network and customer saw."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from mms.models import Event, Message, Postback, Status
from simulator.demo import web
from simulator.demo.story import Case

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: where (platform, MMSC, customer or demo), and in words. A postback has a code."""

    at: datetime
    where: str
    text: str
    code: str = ""


@dataclass(slots=True)
class Track:
    """One message with all that is known of it so far; the entries are the simulator's."""

    case: Case
    answer: Mapping[str, str]
    message: Message
    events: list[Event] = field(default_factory=list)
    ddms: list[Entry] = field(default_factory=list)
    submits: list[Entry] = field(default_factory=list)
    reports: list[Entry] = field(default_factory=list)
    postbacks: list[Entry] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """Of the postbacks that the customer received, in the order of their arrival."""
        return [entry["fields"]["code"] for entry in self.postbacks]

    @property
    def kinds(self) -> list[str]:
        """Of the steps in the timeline."""
        return [event.kind for event in self.events]

    @property
    def ended(self) -> bool:
        """Whether the message is final and every postback of it was taken."""
        rows = Postback.objects.filter(message=self.message)
        return self.message.is_final and len(self.codes) >= len(rows) and all(row.due_at is None for row in rows)


def begin(case: Case, answer: Mapping[str, str]) -> Track:
    """The track of a message that was accepted. Raises KeyError where the answer names none."""
    key = int(base64.b64decode(answer["tracking-id"]).removeprefix(b"MMS_"))
    return Track(case, answer, Message.objects.get(pk=key))


class Watch:
    """Looks again and again at what became of some messages."""

    def __init__(self, simulator: int) -> None:
        """`simulator` is its port."""
        self._simulator = simulator
        self._seq = 0
        self.tracks: list[Track] = []

    def news(self) -> list[tuple[Track, Step]]:
        """What happened since the last look, in the order of time."""
        # The log first: what it tells of a message is younger than the message's rows.
        entries = web.log(self._simulator, self._seq)
        found = [(track, step) for track in self.tracks for step in _timeline(track)]
        for entry in entries:
            self._seq = entry["seq"]
            found += [(track, step) for track in self.tracks for step in _seen(track, entry)]
        return sorted(found, key=lambda pair: pair[1].at)

    def hurry(self) -> list[tuple[Track, Step]]:
        """Brings the deadline of the hurried messages forward, once the customer knows of their DDM."""
        told = [track for track in self.tracks if track.case.hurried and track.codes == ["N501"]]
        now = timezone.now()
        step = Step(now, "demo", "the demo does not wait ten minutes: it brings this deadline forward to now")
        return [(track, step) for track in told if _bring_forward(track.message, now)]


def _bring_forward(message: Message, now: datetime) -> bool:
    """Whether the message was waiting for a later deadline, which is now."""
    waiting = Message.objects.filter(pk=message.pk, status=Status.DISCOVERING, due_at__gt=now)
    return bool(waiting.update(due_at=now))


def _timeline(track: Track) -> Iterator[Step]:
    """The steps that the timeline has more than before; those with a postback are told when it arrives."""
    track.message = Message.objects.select_related("handset").get(pk=track.message.pk)
    for event in track.message.events.all()[len(track.events) :]:
        track.events.append(event)
        yield Step(event.at, "platform", f"{event.kind}: {_sentence(event)}".removesuffix(": "))


def _sentence(event: Event) -> str:
    size = event.details.get("bytes")
    return f"{event.text}, {size:,} bytes" if size else event.text


def _seen(track: Track, entry: Entry) -> Iterator[Step]:
    """What the simulator's log says about this message."""
    at = datetime.fromisoformat(entry["at"])
    match entry["kind"]:
        case "submit" if entry["transaction_id"] == f"discovery-{track.message.discovery_id}":
            track.ddms.append(entry)
            yield Step(at, "MMSC", f'DDM "{entry.get("subject", "")}", answered {entry["status_code"]}')
        case "submit" if entry["transaction_id"] == f"message-{track.message.pk}":
            track.submits.append(entry)
            yield Step(at, "MMSC", f"content, {_sizes(entry)}, answered {entry['status_code']}")
        case "report" if entry["message_id"] in _message_ids([*track.ddms, *track.submits]):
            track.reports.append(entry)
            yield Step(at, "MMSC", f"report {entry['mm_status']}, handset {entry['handset']}")
        case "postback" if entry["fields"].get("tracking-id") == track.message.tracking_id:
            track.postbacks.append(entry)
            yield Step(at, "customer", _postback(entry["fields"]), entry["fields"]["code"])


def _sizes(entry: Entry) -> str:
    pictures = [f"{part['width']}x{part['height']}" for part in entry.get("parts", ()) if "width" in part]
    return f"{entry.get('bytes', 0):,} bytes, pictures {', '.join(pictures) or 'none'}"


def _message_ids(entries: Sequence[Entry]) -> set[str]:
    return {entry["message_id"] for entry in entries if entry["message_id"]}


def _postback(fields: Mapping[str, str]) -> str:
    told = (fields["status"], fields.get("handset", ""), fields.get("status-details", ""))
    return ", ".join(filter(None, told))
