"""Whether the story went as it must: each message looked at in the database, at the MMSC and at the customer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Sum

from billing import ledger
from billing.amounts import format_amount, format_decimal
from billing.models import LedgerEntry
from mms.models import Medium, Postback, Rendition, Slide
from simulator.demo import world
from simulator.demo.pictures import TURN_CLOCKWISE
from simulator.demo.story import ACTS, DDM_SUBJECT, FIRST, PICTURES, Case
from simulator.demo.track import Entry, Track

# The deadlines of the demo's discoveries are ten minutes away: what comes within this time did not wait for them.
AT_ONCE = timedelta(seconds=15)
# On slide 1 of the template, as the MMSC gets it.
PHOTOGRAPH_PART = "slide1.jpg"
# Below this JPEG quality the photograph would look spoilt.
GOOD_QUALITY = 60


@dataclass(frozen=True, slots=True)
class Check:
    """One claim, with what was expected and what was found."""

    claim: str
    expected: str
    found: str

    @property
    def ok(self) -> bool:
        return self.expected == self.found

    def __str__(self) -> str:
        if self.ok:
            return f"ok       {self.claim}: {self.found or '-'}"
        return f"DIFFERS  {self.claim}: expected {self.expected or '-'}, found {self.found or '-'}"


def of_story(tracks: Sequence[Track]) -> Iterator[Check]:
    """That every message was accepted, and that the photograph is what the demo claims."""
    yield Check("messages accepted", str(sum(map(len, ACTS))), str(len(tracks)))
    original = photograph()
    found = f"{original.width}x{original.height}, EXIF orientation {original.orientation}"
    yield Check("the photograph as stored", f"4000x3000, EXIF orientation {TURN_CLOCKWISE}", found)


def of_books(tracks: Iterable[Track]) -> Iterator[Check]:
    """That the balances are what the ledger adds up to, and that nothing stays reserved for what has ended.

    What somebody else has sent by the demo's account may still be on its way.
    """
    yield Check("accounts whose balance is not their ledger's", "none", _words(map(str, ledger.reconcile())) or "none")
    lines = LedgerEntry.objects.filter(message__in=[track.message.pk for track in tracks])
    reserved = lines.aggregate(reserved=Sum("reserved_change", default=0))["reserved"]
    yield Check("left reserved for the story's messages", "0.00", format_decimal(reserved))


def of_message(track: Track) -> Iterator[Check]:
    """Everything that the message's course promises."""
    case = track.case
    yield Check("the API's answer", _words(_success(track)), _words(f"{k}={v}" for k, v in track.answer.items()))
    ddms = [f'"{DDM_SUBJECT}"'] * case.course.steps.count("discovering")
    yield Check("DDMs at the MMSC", _words(ddms), _words(f'"{ddm.get("subject")}"' for ddm in track.ddms))
    yield Check("timeline in the database", _words(case.course.steps), _words(track.kinds))
    yield Check("postbacks in the database", _words(f"{code}/taken" for code in case.course.codes), _stored(track))
    yield Check("postbacks received, in order", _words(case.course.codes), _words(track.codes))
    for code in sorted({"N502", "N102"} & {*case.course.codes, *track.codes}):
        yield Check(f"handset in {code}", _named(case, code), _handsets(track, code))
    yield Check("adapted to", "generic profile" if case.generic else case.handset.identity, _adapted_to(track))
    yield Check("content at the handset", f"{PICTURES} pictures, nothing to refuse", _content(track))
    yield Check("settled in the ledger", format_amount(_price(case), "USD"), format_amount(settled(track), "USD"))
    if not {"ddm-failed", "ddm-undelivered"}.isdisjoint(case.course.steps):
        yield _holds("the content followed the DDM's failure at once", _wait(track) < AT_ONCE)
    if case == FIRST:
        yield from _of_photograph(track)


def settled(track: Track) -> int:
    """What the message cost its account, in micro-units."""
    lines = LedgerEntry.objects.filter(message=track.message.pk, kind=LedgerEntry.Kind.CHARGE)
    return -sum(line.balance_change for line in lines)


def _price(case: Case) -> int:
    """By what the carrier took: the content, and a DDM where one went out."""
    return sum(
        world.PRICES[name] for name, step in (("mms", "submitted"), ("ddm", "ddm-sent")) if step in case.course.steps
    )


def photograph() -> Medium:
    """The 12-megapixel picture as the platform stored it."""
    return Medium.objects.get(slide__template=world.MMS_ID, slide__position=1)


def rendition(track: Track) -> Rendition | None:
    """The photograph as the MMSC got it, found by what arrived there."""
    for part in _parts(track):
        if part["name"] == PHOTOGRAPH_PART:
            like = {"size": part["bytes"], "width": part["width"], "height": part["height"]}
            return Rendition.objects.filter(medium=photograph(), **like).first()
    return None


def original_bytes() -> int:
    """The media of the template together, as the customer supplied them."""
    slides = Slide.objects.filter(template=world.MMS_ID).prefetch_related("media")
    return sum(medium.size for slide in slides for medium in slide.media.all())


def _of_photograph(track: Track) -> Iterator[Check]:
    made, handset = rendition(track), track.case.handset
    width, height, quality = (made.width, made.height, made.quality or 0) if made else (0, 0, 0)
    (box_width, box_height), size = handset.image_box, sum(part["bytes"] for part in _parts(track))
    inside = 0 < width <= box_width and 0 < height <= box_height
    yield _holds(f"the photograph, {width}x{height}, lies in the box of {box_width}x{box_height}", inside)
    yield _holds("the photograph stands upright", height > width)
    yield _holds(f"its JPEG quality, {quality}, is at least {GOOD_QUALITY}", quality >= GOOD_QUALITY)
    yield _holds(f"the message, {size:,} bytes, is within {handset.message_bytes:,}", 0 < size <= handset.message_bytes)


def _holds(claim: str, holds: bool) -> Check:
    return Check(claim, "yes", "yes" if holds else "no")


def _words(words: Iterable[str]) -> str:
    return " ".join(words)


def _success(track: Track) -> list[str]:
    return [
        "status=Success",
        f"mms-id={world.MMS_ID}",
        f"tracking-id={track.message.tracking_id}",
        f"to={track.case.number}",
        f"from={world.SENDER}",
        "status-details=MMS request accepted and queued for delivery",
    ]


def _stored(track: Track) -> str:
    return _words(f"{row.code}/{row.status}" for row in Postback.objects.filter(message=track.message))


def _named(case: Case, code: str) -> str:
    return _words([case.handset.identity] * case.course.codes.count(code))


def _handsets(track: Track, code: str) -> str:
    fields = [entry["fields"] for entry in track.postbacks]
    return _words(told.get("handset", "none") for told in fields if told["code"] == code)


def _adapted_to(track: Track) -> str:
    if "adapted" not in track.kinds:
        return "nothing yet"
    return track.message.handset.identity if track.message.handset else "generic profile"


def _content(track: Track) -> str:
    counts = [sum("width" in part for part in entry.get("parts", ())) for entry in track.submits]
    refusals = [entry.get("rejected") or "nothing to refuse" for entry in track.submits]
    return "; ".join(f"{count} pictures, {refusal}" for count, refusal in zip(counts, refusals, strict=True))


def _parts(track: Track) -> list[Entry]:
    return [part for entry in track.submits for part in entry.get("parts", ())]


def _wait(track: Track) -> timedelta:
    """From the bad news of the DDM to the submit of the content."""
    at = {event.kind: event.at for event in track.events}
    bad_news = at.get("ddm-failed") or at.get("ddm-undelivered")
    return at["submitted"] - bad_news if bad_news and "submitted" in at else timedelta.max
