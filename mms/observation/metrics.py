"""The Prometheus metrics, read from the database at each scrape. docs/operations.md describes each."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Final

from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from billing.models import Proof
from mms.models import Attempt, Carrier, Tally
from mms.observation import backlog, tallies
from mms.runtime import wakeup

# Kinds of events, and the label values of the metrics that count them.
FINAL_STATUSES: Final = ("delivered", "expired", "rejected", "failed")
DISCOVERY: Final = {
    "discovering": "begun",
    "ddm-delivered": "answered",
    "ddm-undelivered": "undelivered",
    "ddm-failed": "failed",
    "deadline": "timed-out",
}
POSTBACKS: Final = ("taken", "refused", "unanswered", "unknown")


def render() -> bytes:
    """Return the metrics in Prometheus's text format. Raises DatabaseError."""
    registry = CollectorRegistry()
    registry.register(_Platform())
    return generate_latest(registry)


class _Platform(Collector):
    """The collector of all metrics. It describes none at registration, which would cost a scrape."""

    def describe(self) -> Iterable[Metric]:
        """Return no names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Count new rows and yield every metric."""
        now = timezone.now()
        tallies.count_new_rows(now)
        counted = _Counted(Tally.objects.all(), dict(Carrier.objects.values_list("pk", "slug")))
        yield from _messages(counted)
        yield from _attempts(counted)
        yield from _content(counted)
        yield from _backlog(now)
        yield from _feeds()
        yield from _sweeps(now)
        yield from _books()


class _Counted:
    """The tallies by source, carrier and kind; a missing one counts 0, so that every series starts at 0."""

    def __init__(self, found: Iterable[Tally], carriers: Mapping[int, str]) -> None:
        self.carriers = carriers
        self._tallies = {(t.source, t.carrier_id, t.kind): t for t in found}

    def of(self, source: str, carrier: int | None, kind: str) -> Tally:
        """Return the tally of a source, carrier and kind."""
        return self._tallies.get((source, carrier, kind)) or Tally(buckets=[0] * (len(tallies.BOUNDS) + 1))

    def counter(self, name: str, text: str, source: str, kinds: Mapping[str, str], label: str = "") -> Metric:
        """Return a counter by carrier, and by kind if `label` is given; `kinds` maps a kind to its label value."""
        labels = ["carrier", label] if label else ["carrier"]
        family = CounterMetricFamily(name, text, labels=labels)
        for carrier, slug in self.carriers.items():
            for kind, value in kinds.items():
                values = [slug, value] if label else [slug]
                family.add_metric(values, self.of(source, carrier, kind).count)
        return family

    def histogram(self, name: str, text: str, source: str, kinds: Iterable[str]) -> Metric:
        """Return a histogram by carrier over all these kinds."""
        family = HistogramMetricFamily(name, text, labels=["carrier"])
        for carrier, slug in self.carriers.items():
            of_carrier = [self.of(source, carrier, kind) for kind in kinds]
            family.add_metric([slug], _buckets(of_carrier), sum(tally.total for tally in of_carrier))
        return family


def _buckets(found: Iterable[Tally]) -> list[tuple[str, float]]:
    bounds = [*(str(bound) for bound in tallies.BOUNDS), "+Inf"]
    columns = zip(*(tally.buckets for tally in found), strict=True)
    return list(zip(bounds, map(sum, columns), strict=True))


def _messages(counted: _Counted) -> Iterator[Metric]:
    yield counted.counter("mms_messages_accepted", "Messages accepted", "events", {"accepted": ""})
    yield counted.counter("mms_messages_submitted", "Messages that an MMSC accepted", "events", {"submitted": ""})
    statuses = {status: status for status in FINAL_STATUSES}
    yield counted.counter("mms_messages_ended", "Messages that reached a final status", "events", statuses, "status")
    yield counted.histogram(
        "mms_submit_seconds", "From accept until the MMSC accepted the message", "events", ["submitted"]
    )
    text = "From the MMSC's acceptance until delivery"
    yield counted.histogram("mms_delivery_seconds", text, "events", ["delivered"])
    yield counted.counter("mms_discovery_waits", "Waits for a discovery, by step", "events", DISCOVERY, "step")


def _attempts(counted: _Counted) -> Iterator[Metric]:
    outcomes = (*Attempt.Outcome.values[1:], "unknown")
    named = {outcome: outcome for outcome in outcomes}
    yield counted.counter("mms_submits", "Submits to MMSCs, of messages and DDMs", "attempts", named, "outcome")
    yield counted.histogram("mms_submit_answer_seconds", "Time until an MMSC answered a submit", "attempts", outcomes)
    family = CounterMetricFamily("mms_postback_attempts", "POSTs of postbacks, by outcome", labels=["outcome"])
    for outcome in POSTBACKS:
        family.add_metric([outcome], counted.of("postbacks", None, outcome).count)
    yield family
    answers = HistogramMetricFamily("mms_postback_answer_seconds", "Time until a customer's server answered a postback")
    found = [counted.of("postbacks", None, outcome) for outcome in POSTBACKS]
    answers.add_metric([], _buckets(found), sum(tally.total for tally in found))
    yield answers


def _content(counted: _Counted) -> Iterator[Metric]:
    used = sum(counted.of("events", carrier, "adapted").total for carrier in counted.carriers)
    yield CounterMetricFamily("mms_renditions_used", "Pictures sent as a rendition", value=used)
    made = CounterMetricFamily("mms_renditions_made", "Renditions created, by kind of medium", labels=["kind"])
    for kind in ("image", "audio", "video"):
        made.add_metric([kind], counted.of("renditions", None, kind).count)
    yield made


def _backlog(now: datetime) -> Iterator[Metric]:
    labels = ["queue", "carrier"]
    rows = GaugeMetricFamily("mms_due_rows", f"Rows due in a queue, {backlog.MAX_ROWS} at most", labels=labels)
    age = GaugeMetricFamily("mms_due_age_seconds", "Time since the oldest due row became due", labels=labels)
    for due in backlog.due(now):
        rows.add_metric([due.queue, due.carrier], due.rows)
        age.add_metric([due.queue, due.carrier], due.age(now))
    yield rows
    yield age
    waiting = backlog.waiting()
    yield GaugeMetricFamily("mms_discoveries_open", "Discoveries that wait for their report", waiting.discoveries)
    yield GaugeMetricFamily("mms_messages_in_doubt", "Messages whose submit was never answered", waiting.in_doubt)
    yield GaugeMetricFamily(
        "mms_reports_unmatched", "Reports without a match, to be retried", waiting.unmatched_reports
    )
    yield GaugeMetricFamily("mms_postbacks_pending", "Postbacks due now or to be retried", waiting.postbacks)


def _feeds() -> Iterator[Metric]:
    labels = ["carrier"]
    paused = GaugeMetricFamily("mms_carrier_paused", "1 while submits are paused: no answer of the MMSC", labels=labels)
    failures = GaugeMetricFamily(
        "mms_carrier_failures", "Consecutive submits that an MMSC did not answer", labels=labels
    )
    for slug, until, count in Carrier.objects.values_list("slug", "feed__paused_until", "feed__failures"):
        paused.add_metric([slug], until is not None)
        failures.add_metric([slug], count or 0)
    yield paused
    yield failures


def _sweeps(now: datetime) -> Iterator[Metric]:
    family = GaugeMetricFamily("mms_sweep_age_seconds", "Time since a worker last polled a queue", labels=["queue"])
    with suppress(*wakeup.BROKER_ERRORS):  # then the series is absent
        for queue, last in wakeup.last_polls().items():
            family.add_metric([queue], max(0.0, now.timestamp() - last))
    yield family


def _books() -> Iterator[Metric]:
    last = Proof.objects.order_by("pk").last()
    proven = GaugeMetricFamily("mms_books_proven_timestamp_seconds", "Time of the last ledger reconciliation")
    drift = GaugeMetricFamily("mms_books_differing_accounts", "Accounts whose balance differed from their ledger then")
    if last:
        proven.add_metric([], last.at.timestamp())
        drift.add_metric([], last.accounts)
    yield proven
    yield drift
