"""The text areas of a picture: read from a request, and checked against the picture and the data of a message."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from mms.adaptation import text_drawing
from mms.adaptation.content import (
    AREAS_MAX,
    COLOR,
    FONT_SIZE_MAX,
    FONT_SIZE_MIN,
    Align,
    Area,
    Font,
    Source,
    VerticalAlign,
)
from mms.api import parameters
from mms.api.errors import Refusal
from mms.api.request_tree import InvalidParameter, Node

PIXELS_MAX = 100_000

Word = TypeVar("Word", bound=StrEnum)


def parse(picture: Node, position: int) -> tuple[Area, ...]:
    """The areas of this image element, of the slide with this number. Raises Refusal."""
    given, name = picture.all("text_area"), picture.name_of("text_area")
    if len(given) > AREAS_MAX:
        raise Refusal("E100", f"slide {position}: there are {len(given)} {name}; {AREAS_MAX} are allowed")
    return tuple(_area(node, label(node, position, number)) for number, node in enumerate(given, 1))


def label(node: Node, position: int, number: int) -> str:
    """An area as refusals name it, in the words of the request's dialect."""
    return f"slide {position}, {node.name_of('text_area')} {number}"


def check_place(areas: Sequence[Area], picture: Source, slide: Node, position: int) -> None:
    """Refuses areas that do not lie on the picture, or on one that moves."""
    if areas and picture.frames > 1:
        raise Refusal(
            "E100", f"slide {position}: the image is an animation; {slide.name_of('text_area')} needs a still"
        )
    for number, area in enumerate(areas, 1):
        if problem := text_drawing.bounds_problem(area, picture.upright_size):
            raise Refusal("E100", f"{label(slide, position, number)}: {problem}")


def check_filled(areas: Mapping[int, Sequence[Area]], data: Mapping[str, str], request: Node) -> None:
    """Refuses what cannot be drawn once the data is in it; `areas` are those of each slide by its number."""
    for position, drawn in areas.items():
        for number, area in enumerate(drawn, 1):
            place = label(request, position, number)
            with _drawable(place):
                text_drawing.lay_out(replace(area, text=parameters.fill_merge_tags(request, area.text, data, place)))


def _area(node: Node, place: str) -> Area:
    try:
        area = Area(
            text=_text(node),
            left=_whole(node, "left", 0, PIXELS_MAX),
            top=_whole(node, "top", 0, PIXELS_MAX),
            width=_whole(node, "width", 1, PIXELS_MAX),
            height=_whole(node, "height", 1, PIXELS_MAX),
            font_size=_whole(node, "font_size", FONT_SIZE_MIN, FONT_SIZE_MAX),
            font=_word(node, "font", Font.SANS),
            color=_color(node),
            align=_word(node, "align", Align.LEFT),
            vertical_align=_word(node, "vertical_align", VerticalAlign.TOP),
        )
    except InvalidParameter as problem:
        raise Refusal("E100", f"{place}: {problem}") from None
    if len(area.text) > text_drawing.TEXT_MAX:
        raise Refusal("E334", f"{place}: the text has {len(area.text)} characters; {text_drawing.TEXT_MAX} are allowed")
    parameters.check_merge_tags(area.text, place)
    with _drawable(place):
        text_drawing.check_area(area)
    return area


@contextmanager
def _drawable(place: str) -> Iterator[None]:
    try:
        yield
    except text_drawing.UndrawableCharacter as problem:
        raise Refusal("E100", f"{place}: {problem}") from None
    except text_drawing.TextTooLong as problem:
        raise Refusal("E334", f"{place}: {problem}") from None


# Each gives one value. Raises InvalidParameter.


def _text(node: Node) -> str:
    text = node.value("area_text")
    if not text:
        raise InvalidParameter(f"{node.name_of('area_text')} is missing")
    return text


def _whole(node: Node, name: str, least: int, most: int) -> int:
    found = parameters.parse_integer(node.value(name), least, most)
    if found is None:
        raise InvalidParameter(f"{node.name_of(name)} must be a whole number of pixels from {least} to {most}")
    return found


def _word(node: Node, name: str, default: Word) -> Word:
    words = type(default)
    given = node.value(name).lower() or default
    if given not in set(words):
        raise InvalidParameter(f"{node.name_of(name)} must be one of {', '.join(words)}")
    return words(given)


def _color(node: Node) -> str:
    color = node.value("color") or "#000000"
    if not COLOR.match(color):
        raise InvalidParameter(f"{node.name_of('color')} must be # and six hexadecimal digits, such as #FF8800")
    return color
