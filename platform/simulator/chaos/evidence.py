"""Evidence of a run, as plain values: the customers' results, the simulator's log, and the database."""

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
from simulator.chaos.customers import DDM_TIMEOUT, SendResult

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PostbackRow:
    """A postback in the database: its event ID, code and status."""

    event: str
    code: str
    status: str


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """A line of the ledger, with amounts in micro-units."""

    kind: str
    balance: int
    reserved: int


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """A message in the database. `outcomes` are the outcomes of its submits; amounts are in micro-units."""

    key: int
    tracking_id: str
    reference: str
    number: str
    status: str
    expires_at: datetime
    final_at: datetime  # datetime.max if it is not final
    submitted: bool = False
    discovery: int | None = None
    opened_discovery: bool = False
    outcomes: tuple[str, ...] = ()
    postbacks: tuple[PostbackRow, ...] = ()
    lines: tuple[LedgerLine, ...] = ()
    price: int = 0
    price_ddm: int = 0
    discovery_deadline: datetime | None = None
    reserved: int = 0
    refunds: bool = False

    @property
    def transaction_id(self) -> str:
        """TransactionID of its submits."""
        return f"message-{self.key}"

    @property
    def name(self) -> str:
        return f"{self.reference} ({self.tracking_id}, {self.number})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of a run.

    `expected` is the planned number of requests, `ddms` the outcomes of the submits of each discovery, `unmatched` the
    MessageIDs of reports that could not be matched, `ledger_differences` the accounts whose balance does not match
    their ledger.
    """

    expected: int
    results: Sequence[SendResult]
    messages: Sequence[MessageRecord]
    ddms: Mapping[str, tuple[str, ...]]
    log: Sequence[Entry]
    unmatched: frozenset[str] = frozenset()
    ledger_differences: tuple[str, ...] = ()


def collect(expected: int, results: Sequence[SendResult], log: Path) -> Evidence:
    """Collect the evidence; `log` is the simulator's log file."""
    attempts = Attempt.objects.order_by("pk")
    message_outcomes = _group(attempts.exclude(message=None).values_list("message", "outcome"))
    discovery_outcomes = _group(attempts.exclude(discovery=None).values_list("discovery", "outcome"))
    postbacks = _group((row[0], PostbackRow(str(row[1]), *row[2:])) for row in _postback_rows())
    lines = _group((row[0], LedgerLine(*row[1:])) for row in _ledger_rows())
    discovering_since = dict(Event.objects.filter(kind="discovering").order_by("-pk").values_list("message", "at"))
    return Evidence(
        expected,
        results,
        [
            _message_record(
                message,
                message_outcomes[message.pk],
                postbacks[message.pk],
                lines[message.pk],
                discovering_since.get(message.pk),
            )
            for message in Message.objects.select_related("account", "discovery").order_by("pk")
        ],
        {f"discovery-{key}": discovery_outcomes[key] for key in Discovery.objects.values_list("pk", flat=True)},
        [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()],
        frozenset(Report.objects.filter(attempt=None).values_list("mmsc_id", flat=True)),
        tuple(map(str, ledger.reconcile())),
    )


def _postback_rows() -> Iterable[tuple[Any, ...]]:
    return Postback.objects.order_by("pk").values_list("message", "pk", "code", "status")


def _ledger_rows() -> Iterable[tuple[Any, ...]]:
    booked = LedgerEntry.objects.exclude(message=None).order_by("pk")
    return booked.values_list("message", "kind", "balance_change", "reserved_change")


def _group(pairs: Iterable[tuple[Any, Any]]) -> Mapping[int, tuple[Any, ...]]:
    grouped: dict[int, tuple[Any, ...]] = defaultdict(tuple)
    for key, value in pairs:
        grouped[key] += (value,)
    return grouped


def _message_record(
    message: Message,
    outcomes: tuple[str, ...],
    postbacks: tuple[PostbackRow, ...],
    lines: tuple[LedgerLine, ...],
    discovering_since: datetime | None,
) -> MessageRecord:
    return MessageRecord(
        key=message.pk,
        tracking_id=message.tracking_id,
        reference=message.client_reference,
        number=message.number,
        status=message.status,
        expires_at=message.expires_at,
        final_at=message.final_at or datetime.max.replace(tzinfo=UTC),
        submitted=message.submitted_at is not None,
        discovery=message.discovery_id,
        opened_discovery=message.discovery is not None and message.discovery.message == message.pk,
        outcomes=outcomes,
        postbacks=postbacks,
        lines=lines,
        price=message.price_mms,
        price_ddm=message.price_ddm,
        discovery_deadline=discovering_since and min(discovering_since + DDM_TIMEOUT, message.expires_at),
        reserved=message.reserved,
        refunds=message.account.refund_undelivered,
    )
