"""Tracking of messages on both sides: the platform's timeline, and the log of the simulated MMSC and customer."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from mms.models import Event, Message, Postback, Status
from simulator.demo import http_client
from simulator.demo.scenarios import Scenario

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a message: time, place (platform, MMSC, customer or demo) and text. A postback also has a code."""

    at: datetime
    where: str
    text: str
    code: str = ""


@dataclass(slots=True)
class TrackedMessage:
    """A message with its events, and its entries in the simulator's log."""

    scenario: Scenario
    answer: Mapping[str, str]
    message: Message
    events: list[Event] = field(default_factory=list)
    ddms: list[Entry] = field(default_factory=list)
    submits: list[Entry] = field(default_factory=list)
    reports: list[Entry] = field(default_factory=list)
    postbacks: list[Entry] = field(default_factory=list)

    @property
    def codes(self) -> list[str]:
        """Codes of the postbacks received by the customer, in order of arrival."""
        return [entry["fields"]["code"] for entry in self.postbacks]

    @property
    def kinds(self) -> list[str]:
        """Kinds of the timeline events."""
        return [event.kind for event in self.events]

    @property
    def is_finished(self) -> bool:
        """Whether the message is final and all its postbacks are delivered."""
        rows = Postback.objects.filter(message=self.message)
        return self.message.is_final and len(self.codes) >= len(rows) and all(row.due_at is None for row in rows)


def start_tracking(scenario: Scenario, answer: Mapping[str, str]) -> TrackedMessage:
    """Start tracking an accepted message. Raises KeyError if the answer has no tracking ID."""
    key = int(base64.b64decode(answer["tracking-id"]).removeprefix(b"MMS_"))
    return TrackedMessage(scenario, answer, Message.objects.get(pk=key))


class Tracker:
    """Polls the progress of messages."""

    def __init__(self, simulator_port: int) -> None:
        self._simulator_port = simulator_port
        self._seq = 0
        self.messages: list[TrackedMessage] = []

    def poll(self) -> list[tuple[TrackedMessage, Step]]:
        """Return the steps since the previous call, in chronological order."""
        # Read the log first: every logged event is preceded by the message's rows.
        entries = http_client.read_log(self._simulator_port, self._seq)
        found = [(tracked, step) for tracked in self.messages for step in _new_events(tracked)]
        for entry in entries:
            self._seq = entry["seq"]
            found += [(tracked, step) for tracked in self.messages for step in _match_entry(tracked, entry)]
        return sorted(found, key=lambda pair: pair[1].at)

    def advance_deadlines(self) -> list[tuple[TrackedMessage, Step]]:
        """Move the deadline to now where the scenario says so, once the customer has the postback on the DDM."""
        waiting = [one for one in self.messages if one.scenario.advances_deadline and one.codes == ["N501"]]
        now = timezone.now()
        step = Step(now, "demo", "moved the discovery's deadline forward instead of waiting ten minutes")
        return [(tracked, step) for tracked in waiting if _advance_deadline(tracked.message, now)]


def _advance_deadline(message: Message, now: datetime) -> bool:
    """Move a later deadline of a waiting message to now; return whether there was one."""
    waiting = Message.objects.filter(pk=message.pk, status=Status.DISCOVERING, due_at__gt=now)
    return bool(waiting.update(due_at=now))


def _new_events(tracked: TrackedMessage) -> Iterator[Step]:
    """Refresh the message and yield the new timeline events."""
    tracked.message = Message.objects.select_related("handset").get(pk=tracked.message.pk)
    for event in tracked.message.events.all()[len(tracked.events) :]:
        tracked.events.append(event)
        yield Step(event.at, "platform", f"{event.kind}: {_event_text(event)}".removesuffix(": "))


def _event_text(event: Event) -> str:
    size = event.details.get("bytes")
    return f"{event.text}, {size:,} bytes" if size else event.text


def _match_entry(tracked: TrackedMessage, entry: Entry) -> Iterator[Step]:
    """Yield the step of a log entry that belongs to this message, and keep the entry."""
    at = datetime.fromisoformat(entry["at"])
    match entry["kind"]:
        case "submit" if entry["transaction_id"] == f"discovery-{tracked.message.discovery_id}":
            tracked.ddms.append(entry)
            yield Step(at, "MMSC", f'DDM "{entry.get("subject", "")}", answered {entry["status_code"]}')
        case "submit" if entry["transaction_id"] == f"message-{tracked.message.pk}":
            tracked.submits.append(entry)
            yield Step(at, "MMSC", f"content, {_sizes(entry)}, answered {entry['status_code']}")
        case "report" if entry["message_id"] in _message_ids([*tracked.ddms, *tracked.submits]):
            tracked.reports.append(entry)
            yield Step(at, "MMSC", f"report {entry['mm_status']}, handset {entry['handset']}")
        case "postback" if entry["fields"].get("tracking-id") == tracked.message.tracking_id:
            tracked.postbacks.append(entry)
            yield Step(at, "customer", _postback_text(entry["fields"]), entry["fields"]["code"])


def _sizes(entry: Entry) -> str:
    pictures = [f"{part['width']}x{part['height']}" for part in entry.get("parts", ()) if "width" in part]
    return f"{entry.get('bytes', 0):,} bytes, pictures {', '.join(pictures) or 'none'}"


def _message_ids(entries: Sequence[Entry]) -> set[str]:
    return {entry["message_id"] for entry in entries if entry["message_id"]}


def _postback_text(fields: Mapping[str, str]) -> str:
    parts = (fields["status"], fields.get("handset", ""), fields.get("status-details", ""))
    return ", ".join(filter(None, parts))
