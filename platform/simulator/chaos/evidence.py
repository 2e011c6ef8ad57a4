"""What is known at the end: the customers' memory, the simulator's log, and the database, as plain values."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from billing import ledger
from billing.models import LedgerEntry
from mms.models import Attempt, Discovery, Event, Message, Postback, Report
from simulator.chaos.customers import DDM_TIMEOUT, Asked
from simulator.chaos.orders import Order

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A postback: its event id, code, and whether it was taken."""

    event: str
    code: str
    status: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the ledger, in micro-units."""

    kind: str
    balance: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Story:
    """A message as the database has it at the end. `outcomes` are those of its submits, amounts micro-units."""

    key: int
    tracking_id: str
    reference: str
    number: str
    status: str
    expires_at: datetime
    final_at: datetime  # the end of time where it is not final
    submitted: bool = False
    discovery: int | None = None
    outcomes: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()
    lines: tuple[Line, ...] = ()
    price: int = 0
    price_ddm: int = 0
    waits_until: datetime | None = None  # for its discovery, at the latest
    reserved: int = 0
    refunds: bool = False

    @property
    def transaction(self) -> str:
        """Under which the MMSC knows it."""
        return f"message-{self.key}"

    @property
    def name(self) -> str:
        return f"{self.reference} ({self.tracking_id}, {self.number})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it. `ordered` is how many messages were to be sent, `ddms` are the outcomes of the submits of each
    discovery, `unmatched` the MMSC's names of messages whose reports could be matched to nothing, `unproven` the
    accounts whose balance is not their ledger's.
    """

    ordered: int
    asked: Sequence[Asked]
    stories: Sequence[Story]
    ddms: Mapping[str, tuple[str, ...]]
    log: Sequence[Entry]
    unmatched: frozenset[str] = frozenset()
    unproven: tuple[str, ...] = ()


def gathered(ordered: Sequence[Order], asked: Sequence[Asked], log: Path) -> Evidence:
    """What is known now; the log is the simulator's file."""
    attempts = Attempt.objects.order_by("pk")
    of_message = _grouped(attempts.exclude(message=None).values_list("message", "outcome"))
    of_discovery = _grouped(attempts.exclude(discovery=None).values_list("discovery", "outcome"))
    told = _grouped((row[0], Told(str(row[1]), *row[2:])) for row in _postbacks())
    lines = _grouped((row[0], Line(*row[1:])) for row in _lines())
    began = dict(Event.objects.filter(kind="discovering").order_by("-pk").values_list("message", "at"))
    return Evidence(
        len(ordered),
        asked,
        [
            _story(message, of_message[message.pk], told[message.pk], lines[message.pk], began.get(message.pk))
            for message in Message.objects.select_related("account").order_by("pk")
        ],
        {f"discovery-{key}": of_discovery[key] for key in Discovery.objects.values_list("pk", flat=True)},
        [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()],
        frozenset(Report.objects.filter(attempt=None).values_list("mmsc_id", flat=True)),
        tuple(map(str, ledger.reconcile())),
    )


def _postbacks() -> Iterable[tuple[Any, ...]]:
    return Postback.objects.order_by("pk").values_list("message", "pk", "code", "status")


def _lines() -> Iterable[tuple[Any, ...]]:
    booked = LedgerEntry.objects.exclude(message=None).order_by("pk")
    return booked.values_list("message", "kind", "balance_change", "reserved_change")


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> Mapping[int, tuple[Any, ...]]:
    grouped: dict[int, tuple[Any, ...]] = defaultdict(tuple)
    for key, value in pairs:
        grouped[key] += (value,)
    return grouped


def _story(
    message: Message,
    outcomes: tuple[str, ...],
    told: tuple[Told, ...],
    lines: tuple[Line, ...],
    discovering: datetime | None,
) -> Story:
    return Story(
        key=message.pk,
        tracking_id=message.tracking_id,
        reference=message.client_reference,
        number=message.number,
        status=message.status,
        expires_at=message.expires_at,
        final_at=message.final_at or datetime.max.replace(tzinfo=UTC),
        submitted=message.submitted_at is not None,
        discovery=message.discovery_id,
        outcomes=outcomes,
        told=told,
        lines=lines,
        price=message.price_mms,
        price_ddm=message.price_ddm,
        waits_until=discovering and min(discovering + DDM_TIMEOUT, message.expires_at),
        reserved=message.reserved,
        refunds=message.account.refund_undelivered,
    )
