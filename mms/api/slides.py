"""The slides of saveMMS and sendMMS: all of them are parsed and checked before any file is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass

from base import sql
from base.request_slots import ConcurrencyLimit
from billing.models import Account
from mms.adaptation.content import Area, Kind
from mms.api import media, parameters, text_areas
from mms.api.errors import Refusal
from mms.api.media import MEDIA_ELEMENTS, MediaElement, RequestedMedium
from mms.api.request_tree import InvalidParameter, Node
from mms.content.downloads import Downloads
from mms.content.store import NewSlide

SLIDES_MAX = 8
DURATION_MAX = 60  # seconds
URL_MAX = 2000
# Requests of one account that fetch files concurrently in a process; each occupies a thread until it has its files.
CONCURRENT_FETCHES_MAX = 4
# Code and media kinds that cannot share a slide.
EXCLUSIVE_MEDIA = (("E226", "audio", "video"), ("E227", "image", "video"))


_fetching = ConcurrencyLimit(CONCURRENT_FETCHES_MAX)


@dataclass(frozen=True, slots=True)
class RequestedSlide:
    """A parsed slide whose media are not fetched yet; `position` counts from 1, `duration` is in seconds."""

    node: Node
    position: int
    duration: int
    text: str
    media: tuple[RequestedMedium, ...]
    areas: tuple[Area, ...]


def parse(request: Node) -> list[RequestedSlide]:
    """Return the slides of the request. Raises Refusal."""
    slides = request.all("slide")
    if not slides:
        raise Refusal("E312", "There are no slides; 1 to 8 are required")
    if len(slides) > SLIDES_MAX:
        raise Refusal("E225", f"There are {len(slides)} slides; at most {SLIDES_MAX} are allowed")
    return [_parse(slide, position) for position, slide in enumerate(slides, 1)]


def fetch(slides: Sequence[RequestedSlide], account: Account) -> list[NewSlide]:
    """Return the slides with their media fetched. Raises Refusal."""
    if not any(slide.media for slide in slides):
        return [NewSlide(slide.duration, slide.text, ()) for slide in slides]
    with _fetching.enter(account.pk) as admitted:
        if not admitted:
            others = f"{CONCURRENT_FETCHES_MAX} requests of this account are already fetching files"
            raise Refusal("E113", f"{others}; retry when one of them has finished")
        sql.release_connection()  # while this request waits for the customer's servers
        downloads = Downloads()
        return [_fetch(slide, account, downloads) for slide in slides]


def _fetch(slide: RequestedSlide, account: Account, downloads: Downloads) -> NewSlide:
    found = tuple(media.fetch(requested, account, downloads) for requested in slide.media)
    for medium in found:
        if medium.source.kind is Kind.IMAGE:
            text_areas.check_place(slide.areas, medium.source, slide.node, slide.position)
    return NewSlide(slide.duration, slide.text, found, slide.areas)


def _parse(slide: Node, position: int) -> RequestedSlide:
    given = [element for element in MEDIA_ELEMENTS for _ in slide.all(element.name)]
    _check_combination(slide, given, position)
    try:
        text, duration = slide.value("message_text"), slide.value("duration")
        nodes = [(element, slide.one(element.name)) for element in dict.fromkeys(given)]
        requested = [
            RequestedMedium(position, element, slide.dialect, node.value("url") if node else "")
            for element, node in nodes
        ]
    except InvalidParameter as problem:
        raise Refusal("E100", f"slide {position}: {problem}") from None
    if not text and not given:
        raise Refusal("E313", f"slide {position} is empty; it needs a text or a medium")
    if len(text) > parameters.TEXT_MAX:
        raise Refusal("E334", f"slide {position}: the text has {len(text)} characters; at most 5000 are allowed")
    parameters.check_merge_tags(text, f"slide {position}")
    for medium in requested:
        if not 1 <= len(medium.url) <= URL_MAX:
            required = f"a {slide.name_of('url')} of 1 to {URL_MAX} characters"
            raise Refusal(
                medium.element.fetch_failed_code, f"slide {position}: {medium.element.label} requires {required}"
            )
    seconds = _duration(slide, duration, position)
    return RequestedSlide(slide, position, seconds, text, tuple(requested), _areas(slide, given, position))


def _areas(slide: Node, given: Sequence[MediaElement], position: int) -> tuple[Area, ...]:
    """Return the text areas of the slide's image; refuse them in any other place, where they would be ignored."""
    others = [node for element in given if element.name != "image" for node in slide.all(element.name)]
    if any(node.all("text_area") for node in [slide, *others]):
        place = f"must be inside {slide.name_of('image')}"
        raise Refusal("E100", f"slide {position}: {slide.name_of('text_area')} {place}")
    return tuple(area for picture in slide.all("image") for area in text_areas.parse(picture, position))


def _check_combination(slide: Node, given: Sequence[MediaElement], position: int) -> None:
    """Refuse media that cannot share a slide."""
    objects = [element.name for element in given if element.kind is Kind.OBJECT]
    others = [element.name for element in given if element.kind is not Kind.OBJECT]
    if len(objects) > 1:
        raise _exclusive("E223", slide, objects, position)
    if objects and others:
        raise _exclusive("E224", slide, objects + others, position)
    for code, first, second in EXCLUSIVE_MEDIA:
        if {first, second} <= set(others):
            raise _exclusive(code, slide, [first, second], position)


def _exclusive(code: str, slide: Node, names: Sequence[str], position: int) -> Refusal:
    both = f"{slide.name_of(names[0])} and {slide.name_of(names[1])}"
    return Refusal(code, f"slide {position}: {both} cannot be in the same slide; use two slides")


def _duration(slide: Node, duration: str, position: int) -> int:
    """Return the duration in seconds."""
    if not duration:
        return slide.dialect.default_duration
    seconds = parameters.parse_integer(duration, 1, DURATION_MAX)
    if seconds is None:
        expected = f"a whole number of seconds from 1 to {DURATION_MAX}"
        raise Refusal("E230", f"slide {position}: {slide.name_of('duration')} must be {expected}")
    return seconds
