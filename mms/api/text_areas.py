"""Text areas: parsed from an image element, and checked against the picture and the merge data of a message."""

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

Choice = TypeVar("Choice", bound=StrEnum)


def parse(picture: Node, position: int) -> tuple[Area, ...]:
    """Return the text areas of an image element on the slide at this position. Raises Refusal."""
    nodes, name = picture.all("text_area"), picture.name_of("text_area")
    if len(nodes) > AREAS_MAX:
        count = f"{name} is given {len(nodes)} times"
        raise Refusal("E100", f"slide {position}: {count}; at most {AREAS_MAX} are allowed")
    return tuple(_parse_area(node, label(node, position, number)) for number, node in enumerate(nodes, 1))


def label(node: Node, position: int, number: int) -> str:
    """Return the name of a text area in error messages, in the dialect of the request."""
    return f"slide {position}, {node.name_of('text_area')} {number}"


def check_place(areas: Sequence[Area], picture: Source, slide: Node, position: int) -> None:
    """Refuse text areas that extend beyond the picture, or any on an animation."""
    if areas and picture.frames > 1:
        raise Refusal(
            "E100", f"slide {position}: the image is animated; {slide.name_of('text_area')} requires a still image"
        )
    for number, area in enumerate(areas, 1):
        if problem := text_drawing.bounds_problem(area, picture.upright_size):
            raise Refusal("E100", f"{label(slide, position, number)}: {problem}")


def check_filled(areas: Mapping[int, Sequence[Area]], data: Mapping[str, str], request: Node) -> None:
    """Refuse text areas, by slide position, that cannot be drawn once their merge tags are filled from `data`."""
    for position, slide_areas in areas.items():
        for number, area in enumerate(slide_areas, 1):
            place = label(request, position, number)
            with _refusing_undrawable(place):
                text_drawing.lay_out(replace(area, text=parameters.fill_merge_tags(request, area.text, data, place)))


def _parse_area(node: Node, place: str) -> Area:
    try:
        area = Area(
            text=_text(node),
            left=_pixels(node, "left", 0, PIXELS_MAX),
            top=_pixels(node, "top", 0, PIXELS_MAX),
            width=_pixels(node, "width", 1, PIXELS_MAX),
            height=_pixels(node, "height", 1, PIXELS_MAX),
            font_size=_pixels(node, "font_size", FONT_SIZE_MIN, FONT_SIZE_MAX),
            font=_choice(node, "font", Font.SANS),
            color=_color(node),
            align=_choice(node, "align", Align.LEFT),
            vertical_align=_choice(node, "vertical_align", VerticalAlign.TOP),
        )
    except InvalidParameter as problem:
        raise Refusal("E100", f"{place}: {problem}") from None
    if len(area.text) > text_drawing.TEXT_MAX:
        raise Refusal(
            "E334", f"{place}: the text has {len(area.text)} characters; at most {text_drawing.TEXT_MAX} are allowed"
        )
    parameters.check_merge_tags(area.text, place)
    with _refusing_undrawable(place):
        text_drawing.check_area(area)
    return area


@contextmanager
def _refusing_undrawable(place: str) -> Iterator[None]:
    try:
        yield
    except text_drawing.UndrawableCharacter as problem:
        raise Refusal("E100", f"{place}: {problem}") from None
    except text_drawing.TextTooLong as problem:
        raise Refusal("E334", f"{place}: {problem}") from None


# Each function below returns one value and raises InvalidParameter.


def _text(node: Node) -> str:
    text = node.value("area_text")
    if not text:
        raise InvalidParameter(f"{node.name_of('area_text')} is missing")
    return text


def _pixels(node: Node, name: str, minimum: int, maximum: int) -> int:
    found = parameters.parse_integer(node.value(name), minimum, maximum)
    if found is None:
        raise InvalidParameter(f"{node.name_of(name)} must be a whole number of pixels from {minimum} to {maximum}")
    return found


def _choice(node: Node, name: str, default: Choice) -> Choice:
    choices = type(default)
    value = node.value(name).lower() or default
    if value not in set(choices):
        raise InvalidParameter(f"{node.name_of(name)} must be one of {', '.join(choices)}")
    return choices(value)


def _color(node: Node) -> str:
    color = node.value("color") or "#000000"
    if not COLOR.match(color):
        raise InvalidParameter(f"{node.name_of('color')} must be # followed by six hexadecimal digits, such as #FF8800")
    return color
