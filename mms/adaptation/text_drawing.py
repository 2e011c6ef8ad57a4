"""Texts drawn onto a picture, each within its box: wrapped, smaller where it must be, never outside.

A text is laid out in pixels of the source, so that it has the same lines and proportions at every size of the picture,
and whether it fits is known before any picture is made. Characters are drawn one by one from left to right: what must
be joined, reordered or put above another is refused. Only our own font files are used, so the same text always makes
the same pixels.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from mms.adaptation import texts
from mms.adaptation.content import Align, Area, Font, VerticalAlign

FILES: Final = {Font.SANS: "DejaVuSans.ttf", Font.SANS_BOLD: "DejaVuSans-Bold.ttf"}
FOLDER: Final = Path(__file__).parent / "fonts"

TEXT_MAX = 500  # characters of one area, its merge tags filled
# What is tried in turn where a text does not fit at the size that was set: parts of it, down to a half.
SCALES = tuple(percent / 100 for percent in range(100, 49, -5))
# In font sizes: the height of a line, and how far below its top the letters stand (DejaVu rises 0.93 above that).
LINE_HEIGHT = 1.2
BASELINE = 0.95
# Widths are measured at this size, at which rounding to pixels does not count.
MEASURING_SIZE = 200

SPACES = re.compile("[ \t]+")
# Of no known font: it shows what a font draws for a character that it lacks.
UNASSIGNED = "\U0010ffff"

HORIZONTAL_ANCHORS: Final = {Align.LEFT: ("ls", 0.0), Align.CENTER: ("ms", 0.5), Align.RIGHT: ("rs", 1.0)}
VERTICAL_POSITIONS: Final = {VerticalAlign.TOP: 0.0, VerticalAlign.MIDDLE: 0.5, VerticalAlign.BOTTOM: 1.0}


class TextDrawingError(Exception):
    """A text that cannot be drawn; the sentence tells a customer why."""


class UndrawableCharacter(TextDrawingError):
    """The text holds a character that cannot be drawn."""


class TextTooLong(TextDrawingError):
    """The text does not fit into its box."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The lines of a text, and the font size in pixels of the source at which they fit into its box."""

    lines: tuple[str, ...]
    font_size: float


def bounds_problem(area: Area, size: tuple[int, int]) -> str | None:
    """How the area's box leaves a picture of this size, in a sentence; None where it lies on it."""
    right, bottom = area.left + area.width, area.top + area.height
    if right <= size[0] and bottom <= size[1]:
        return None
    return f"it reaches to {right} x {bottom} pixels; the image has {size[0]} x {size[1]}"


def with_sample_text(area: Area) -> Area:
    """The area as it may look: each merge tag filled by its default, else by its name."""
    return replace(area, text=texts.fill_with_samples(area.text))


def check_area(area: Area) -> None:
    """Refuses an area whose text could not be drawn whatever fills its merge tags, or where nothing does.

    Raises LetteringError.
    """
    _check_characters(_strip_invisible(texts.MERGE_TAG.sub("", area.text)), area.font)
    try:
        text = texts.merge(area.text, {})
    except texts.MissingValue:  # no message can do without a value for it, so it has no text of its own
        return
    lay_out(replace(area, text=text))


def lay_out(area: Area) -> Layout:
    """How the text is drawn: in the largest size, up to the one that was set, at which it fits.

    Lines are broken between words. Raises LetteringError where it does not even fit at half the size.
    """
    text = _strip_invisible(area.text)
    if len(text) > TEXT_MAX:
        raise TextTooLong(f"the text has {len(text)} characters; {TEXT_MAX} are allowed")
    _check_characters(text, area.font)
    paragraphs = [_measure_words(line, area.font) for line in texts.LINE_END.split(text)]
    space = _text_width(" ", area.font)
    for part in SCALES:
        size = area.font_size * part
        lines = _wrap(paragraphs, space, area.width / size)
        if lines is not None and len(lines) * LINE_HEIGHT * size <= area.height:
            return Layout(tuple(lines), size)
    box, least = f"{area.width} x {area.height} pixels", f"{area.font_size * SCALES[-1]:g}"
    raise TextTooLong(f"the text does not fit into its box of {box}, not even in a font size of {least}")


def draw_areas(picture: Image.Image, areas: Sequence[Area], size: tuple[int, int]) -> Image.Image:
    """The picture, RGB or RGBA, with the areas' texts drawn onto it; `size` is that of the source, upright.

    Raises LetteringError.
    """
    result = picture.copy()
    for area in areas:
        _draw_area(result, area, result.width / size[0], result.height / size[1])
    return result


def _strip_invisible(text: str) -> str:
    """The text composed, without what only tells others how to show it: joiners, marks of direction, variants."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(c for c in composed if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")


def _check_characters(text: str, font: Font) -> None:
    wrong = next((c for c in text if c not in " \t\r\n" and not _is_drawable(c, font)), None)
    if wrong is not None:
        raise UndrawableCharacter(f"the text holds {texts.describe_character(wrong)}, which cannot be drawn in {font}")


@lru_cache(maxsize=10_000)
def _is_drawable(character: str, font: Font) -> bool:
    """Whether the font has it, and it stands by itself, from left to right."""
    by_itself = unicodedata.category(character)[0] not in "MCZ" or character == "\xa0"
    if not by_itself or unicodedata.bidirectional(character) in {"R", "AL", "AN"}:
        return False
    face = _load_font(font, MEASURING_SIZE)
    lacking, mask = face.getmask(UNASSIGNED), face.getmask(character)
    return mask.size != lacking.size or bytes(mask) != bytes(lacking)


def _measure_words(line: str, font: Font) -> list[tuple[str, float]]:
    return [(word, _text_width(word, font)) for word in SPACES.split(line) if word]


def _text_width(text: str, font: Font) -> float:
    """In font sizes."""
    return _load_font(font, MEASURING_SIZE).getlength(text) / MEASURING_SIZE


def _wrap(paragraphs: Sequence[Sequence[tuple[str, float]]], space: float, width: float) -> list[str] | None:
    """The paragraphs in lines of at most `width`, or None where a word alone is wider. All in font sizes."""
    lines = []
    for words in paragraphs:
        line: list[str] = []
        room = width
        for word, wide in words:
            if wide > width:
                return None
            if line and space + wide > room:
                lines.append(" ".join(line))
                line, room = [], width
            room -= wide + (space if line else 0)
            line.append(word)
        lines.append(" ".join(line))
    return lines


def _draw_area(picture: Image.Image, area: Area, across: float, down: float) -> None:
    """Draws the area's text at the picture's scale, as a mask of its box: what is outside is never touched."""
    left, top = round(area.left * across), round(area.top * down)
    right, bottom = round((area.left + area.width) * across), round((area.top + area.height) * down)
    box = (max(1, right - left), max(1, bottom - top))
    layer = Image.new("RGBA", box, area.color)
    mask = _draw_mask(lay_out(area), area, box, min(across, down))
    layer.putalpha(mask)
    if picture.mode == "RGBA":
        picture.alpha_composite(layer, (left, top))
    else:
        picture.paste(layer, (left, top), mask)


def _draw_mask(layout: Layout, area: Area, box: tuple[int, int], scale: float) -> Image.Image:
    size = layout.font_size * scale
    face = _load_font(area.font, max(1.0, size))
    widest = max(face.getlength(line) for line in layout.lines)
    if widest > box[0]:  # small letters are rounded to whole pixels
        face = _load_font(area.font, max(1.0, size * box[0] / widest))
    anchor, side = HORIZONTAL_ANCHORS[area.align]
    first = (box[1] - len(layout.lines) * LINE_HEIGHT * size) * VERTICAL_POSITIONS[
        area.vertical_align
    ] + BASELINE * size
    mask = Image.new("L", box)
    draw = ImageDraw.Draw(mask)
    for number, line in enumerate(layout.lines):
        draw.text((round(box[0] * side), round(first + number * LINE_HEIGHT * size)), line, 255, face, anchor)
    return mask


@lru_cache(maxsize=64)
def _load_font(font: Font, size: float) -> ImageFont.FreeTypeFont:
    # Pillow's own layout, on every machine: the other one, Raqm, is not everywhere.
    return ImageFont.truetype(FOLDER / FILES[font], size, layout_engine=ImageFont.Layout.BASIC)
