"""The slides of saveMMS and sendMMS: all of them checked before anything is fetched."""

from collections.abc import Sequence
from dataclasses import dataclass

from billing.models import Account
from mms.adaptation.content import Kind
from mms.api import fields, media
from mms.api.errors import Refusal
from mms.api.media import ELEMENTS, Element
from mms.api.parsers import Node, Unclear
from mms.content import NewSlide

SLIDES_MAX = 8
DURATION_DEFAULT = 10  # seconds
DURATION_MAX = 60
URL_MAX = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One slide as it was asked for, its media not yet fetched: seconds, text, media elements with their URLs."""

    position: int
    duration: int
    text: str
    media: tuple[tuple[Element, str], ...]


def wanted(request: Node) -> list[Wanted]:
    """The slides of the request. Raises Refusal."""
    slides = request.all("slide")
    if not slides:
        raise Refusal("E312", "There are no slides")
    if len(slides) > SLIDES_MAX:
        raise Refusal("E225", f"There are {len(slides)} slides; {SLIDES_MAX} are allowed")
    return [_wanted(slide, position) for position, slide in enumerate(slides, 1)]


def fetched(slides: Sequence[Wanted], account: Account) -> list[NewSlide]:
    """The slides with their media. Raises Refusal."""
    return [
        NewSlide(
            slide.duration,
            slide.text,
            tuple(media.fetched(slide.position, element, url, account) for element, url in slide.media),
        )
        for slide in slides
    ]


def _wanted(slide: Node, position: int) -> Wanted:
    given = [element for element in ELEMENTS for _ in slide.all(element.name)]
    _check_together(given, position)
    try:
        text, duration = slide.value("message_text"), slide.value("duration")
        nodes = [(element, slide.one(element.name)) for element in dict.fromkeys(given)]
        urls = [(element, node.value("url") if node else "") for element, node in nodes]
    except Unclear as problem:
        raise Refusal("E100", f"slide {position}: {problem}") from None
    if not text and not given:
        raise Refusal("E313", f"slide {position} is empty")
    if len(text) > fields.TEXT_MAX:
        raise Refusal("E334", f"slide {position}: the text has {len(text)} characters; 5000 are allowed")
    for element, url in urls:
        if not 1 <= len(url) <= URL_MAX:
            raise Refusal(
                element.unfetched, f"slide {position}: {element.words} needs a url of at most {URL_MAX} characters"
            )
    return Wanted(position, _duration(duration, position), text, tuple(urls))


def _check_together(given: Sequence[Element], position: int) -> None:
    """Refuses media that cannot be in one slide."""
    names = {element.name for element in given}
    objects = [element.name for element in given if element.kind is Kind.OBJECT]
    media = [element.name for element in given if element.kind is not Kind.OBJECT]
    if len(objects) > 1:
        raise Refusal("E223", f"slide {position}: {_both(objects)} cannot be in one slide; put them in two")
    if objects and media:
        raise Refusal("E224", f"slide {position}: {_both(objects + media)} cannot be in one slide; put them in two")
    if {"audio", "video"} <= names:
        raise Refusal("E226", f"slide {position}: audio and video cannot be in one slide; put them in two")
    if {"image", "video"} <= names:
        raise Refusal("E227", f"slide {position}: image and video cannot be in one slide; put them in two")


def _both(names: Sequence[str]) -> str:
    return f"{names[0]} and {names[1]}"


def _duration(duration: str, position: int) -> int:
    """Whole seconds."""
    if not duration:
        return DURATION_DEFAULT
    seconds = fields.whole(duration, 1, DURATION_MAX)
    if seconds is None:
        raise Refusal("E230", f"slide {position}: duration must be 1 to {DURATION_MAX} whole seconds")
    return seconds
