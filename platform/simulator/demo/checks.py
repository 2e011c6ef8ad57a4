"""Checks of a demo run: each message in the database, at the MMSC and at the customer server."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum

from billing import ledger
from billing.amounts import format_amount, format_decimal
from billing.models import LedgerEntry
from mms.models import Medium, Postback, Rendition, Slide
from simulator.demo import sample_data
from simulator.demo.pictures import TURN_CLOCKWISE
from simulator.demo.scenarios import DDM_SUBJECT, GROUPS, PICTURES, SEED_REQUEST, Scenario
from simulator.demo.tracker import Entry, TrackedMessage

# The discoveries of the demo expire after ten minutes: content submitted within this time did not wait for that.
PROMPTLY = timedelta(seconds=15)
# Name of the photograph on slide 1 of the template, as received by the MMSC.
PHOTOGRAPH_PART = "slide1.jpg"
# Below this JPEG quality, artefacts become visible.
GOOD_QUALITY = 60


@dataclass(frozen=True, slots=True)
class Check:
    """A named check with its expected and actual value."""

    name: str
    expected: str
    actual: str

    @property
    def has_passed(self) -> bool:
        return self.expected == self.actual

    def __str__(self) -> str:
        if self.has_passed:
            return f"ok      {self.name}: {self.actual or '-'}"
        return f"FAILED  {self.name}: expected {self.expected or '-'}, got {self.actual or '-'}"


def check_run(messages: Sequence[TrackedMessage]) -> Iterator[Check]:
    """Check that every message was accepted, and that the stored photograph is the original."""
    yield Check("messages accepted", str(sum(map(len, GROUPS))), str(len(messages)))
    original = photograph()
    found = f"{original.width}x{original.height}, EXIF orientation {original.orientation}"
    yield Check("stored photograph", f"4000x3000, EXIF orientation {TURN_CLOCKWISE}", found)


def check_ledger(messages: Iterable[TrackedMessage]) -> Iterator[Check]:
    """Check that the balances match the ledger, and that nothing remains reserved for finished messages.

    Only messages of this run count: others sent with the demo account may still be in progress.
    """
    yield Check(
        "accounts whose balance does not match the ledger", "none", _join(map(str, ledger.reconcile())) or "none"
    )
    lines = LedgerEntry.objects.filter(message__in=[tracked.message.pk for tracked in messages])
    reserved = lines.aggregate(reserved=Sum("reserved_change", default=0))["reserved"]
    yield Check("amount still reserved for the messages", "0.00", format_decimal(reserved))


def check_message(tracked: TrackedMessage) -> Iterator[Check]:
    """Check a message against its scenario."""
    scenario = tracked.scenario
    yield Check("API response", _join(_expected_answer(tracked)), _join(f"{k}={v}" for k, v in tracked.answer.items()))
    ddms = [f'"{DDM_SUBJECT}"'] * scenario.expected.timeline.count("discovering")
    yield Check("DDMs at the MMSC", _join(ddms), _join(f'"{ddm.get("subject")}"' for ddm in tracked.ddms))
    yield Check("timeline in the database", _join(scenario.expected.timeline), _join(tracked.kinds))
    yield Check(
        "postbacks in the database",
        _join(f"{code}/taken" for code in scenario.expected.postback_codes),
        _stored_postbacks(tracked),
    )
    yield Check("postbacks received, in order", _join(scenario.expected.postback_codes), _join(tracked.codes))
    for code in sorted({"N502", "N102"} & {*scenario.expected.postback_codes, *tracked.codes}):
        yield Check(f"handset in {code}", _expected_handsets(scenario, code), _reported_handsets(tracked, code))
    yield Check(
        "adapted to",
        "generic profile" if scenario.uses_generic_profile else scenario.handset.identity,
        _adapted_to(tracked),
    )
    yield Check("content at the handset", f"{PICTURES} pictures, accepted", _content(tracked))
    yield Check(
        "charged in the ledger", format_amount(_price(scenario), "USD"), format_amount(amount_charged(tracked), "USD")
    )
    if not {"ddm-failed", "ddm-undelivered"}.isdisjoint(scenario.expected.timeline):
        yield _check_that("content was submitted promptly after the DDM failed", _delay_after_ddm(tracked) < PROMPTLY)
    if scenario == SEED_REQUEST:
        yield from _check_photograph(tracked)


def amount_charged(tracked: TrackedMessage) -> int:
    """Return the amount charged for the message, in micro-units."""
    lines = LedgerEntry.objects.filter(message=tracked.message.pk, kind=LedgerEntry.Kind.CHARGE)
    return -sum(line.balance_change for line in lines)


def _price(scenario: Scenario) -> int:
    """Return the expected price: content and DDM are charged once the carrier has accepted them."""
    return sum(
        sample_data.PRICES[name]
        for name, step in (("mms", "submitted"), ("ddm", "ddm-sent"))
        if step in scenario.expected.timeline
    )


def photograph() -> Medium:
    """Return the 12-megapixel picture as stored by the platform."""
    return Medium.objects.get(slide__template=sample_data.MMS_ID, slide__position=1)


def rendition(tracked: TrackedMessage) -> Rendition | None:
    """Return the rendition of the photograph that the MMSC received, or None."""
    for part in _parts(tracked):
        if part["name"] == PHOTOGRAPH_PART:
            properties = {"size": part["bytes"], "width": part["width"], "height": part["height"]}
            return Rendition.objects.filter(medium=photograph(), **properties).first()
    return None


def original_bytes() -> int:
    """Return the total size of the template's media as supplied by the customer."""
    slides = Slide.objects.filter(template=sample_data.MMS_ID).prefetch_related("media")
    return sum(medium.size for slide in slides for medium in slide.media.all())


def _check_photograph(tracked: TrackedMessage) -> Iterator[Check]:
    adapted, handset = rendition(tracked), tracked.scenario.handset
    width, height, quality = (adapted.width, adapted.height, adapted.quality or 0) if adapted else (0, 0, 0)
    (box_width, box_height), size = handset.image_box, sum(part["bytes"] for part in _parts(tracked))
    inside = 0 < width <= box_width and 0 < height <= box_height
    yield _check_that(f"photograph of {width}x{height} fits into {box_width}x{box_height}", inside)
    yield _check_that("photograph is upright", height > width)
    yield _check_that(f"JPEG quality {quality} is at least {GOOD_QUALITY}", quality >= GOOD_QUALITY)
    fits = 0 < size <= handset.message_bytes
    yield _check_that(f"message of {size:,} bytes is within {handset.message_bytes:,}", fits)


def _check_that(statement: str, is_true: bool) -> Check:
    return Check(statement, "yes", "yes" if is_true else "no")


def _join(words: Iterable[str]) -> str:
    return " ".join(words)


def _expected_answer(tracked: TrackedMessage) -> list[str]:
    return [
        "status=Success",
        f"mms-id={sample_data.MMS_ID}",
        f"tracking-id={tracked.message.tracking_id}",
        f"to={tracked.scenario.number}",
        f"from={sample_data.SENDER}",
        "status-details=MMS request accepted and queued for delivery",
    ]


def _stored_postbacks(tracked: TrackedMessage) -> str:
    return _join(f"{row.code}/{row.status}" for row in Postback.objects.filter(message=tracked.message))


def _expected_handsets(scenario: Scenario, code: str) -> str:
    return _join([scenario.handset.identity] * scenario.expected.postback_codes.count(code))


def _reported_handsets(tracked: TrackedMessage, code: str) -> str:
    fields = [entry["fields"] for entry in tracked.postbacks]
    return _join(postback.get("handset", "none") for postback in fields if postback["code"] == code)


def _adapted_to(tracked: TrackedMessage) -> str:
    if "adapted" not in tracked.kinds:
        return "not adapted yet"
    return tracked.message.handset.identity if tracked.message.handset else "generic profile"


def _content(tracked: TrackedMessage) -> str:
    counts = [sum("width" in part for part in entry.get("parts", ())) for entry in tracked.submits]
    results = [entry.get("rejected") or "accepted" for entry in tracked.submits]
    return "; ".join(f"{count} pictures, {result}" for count, result in zip(counts, results, strict=True))


def _parts(tracked: TrackedMessage) -> list[Entry]:
    return [part for entry in tracked.submits for part in entry.get("parts", ())]


def _delay_after_ddm(tracked: TrackedMessage) -> timedelta:
    """Return the time from the failure of the DDM to the submit of the content."""
    at = {event.kind: event.at for event in tracked.events}
    failed_at = at.get("ddm-failed") or at.get("ddm-undelivered")
    return at["submitted"] - failed_at if failed_at and "submitted" in at else timedelta.max
