"""Text areas drawn onto a picture: wrapped, shrunk if necessary, and clipped to their boxes.

Text is laid out in pixels of the source, so lines and proportions are the same at every picture size, and whether it
fits is known before any picture is made. Characters are drawn one by one from left to right; scripts that need
shaping, reordering or combining marks are refused. Only the bundled fonts are used, so the output is deterministic.
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

TEXT_MAX = 500  # characters of one area after merging
# Fractions of the requested font size, tried in turn until the text fits.
SCALES = tuple(percent / 100 for percent in range(100, 49, -5))
# In units of the font size: the line height, and the baseline below the top of the line (DejaVu's ascent is 0.93).
LINE_HEIGHT = 1.2
BASELINE = 0.95
# Font size for measuring widths, large enough to make pixel rounding negligible.
MEASURING_SIZE = 200

SPACES = re.compile("[ \t]+")
# A code point in no font; drawing it yields the glyph for missing characters.
UNASSIGNED = "\U0010ffff"

HORIZONTAL_ANCHORS: Final = {Align.LEFT: ("ls", 0.0), Align.CENTER: ("ms", 0.5), Align.RIGHT: ("rs", 1.0)}
VERTICAL_POSITIONS: Final = {VerticalAlign.TOP: 0.0, VerticalAlign.MIDDLE: 0.5, VerticalAlign.BOTTOM: 1.0}


class TextDrawingError(Exception):
    """A text cannot be drawn; the message gives the customer the reason."""


class UndrawableCharacter(TextDrawingError):
    """The text contains a character that cannot be drawn."""


class TextTooLong(TextDrawingError):
    """The text does not fit into its box."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The lines of a text, and the font size, in pixels of the source, at which they fit into the box."""

    lines: tuple[str, ...]
    font_size: float


def bounds_problem(area: Area, size: tuple[int, int]) -> str | None:
    """Return how the area's box exceeds a picture of this size, or None if it lies within."""
    right, bottom = area.left + area.width, area.top + area.height
    if right <= size[0] and bottom <= size[1]:
        return None
    return f"it reaches to {right} x {bottom} pixels; the image has {size[0]} x {size[1]}"


def with_sample_text(area: Area) -> Area:
    """Return the area with sample text: each merge tag is filled with its default, else with its name."""
    return replace(area, text=texts.fill_with_samples(area.text))


def check_area(area: Area) -> None:
    """Check that the area's text can be drawn, as far as that is known before its merge tags are filled.

    Raises TextDrawingError.
    """
    _check_characters(_strip_invisible(texts.MERGE_TAG.sub("", area.text)), area.font)
    try:
        text = texts.merge(area.text, {})
    except texts.MissingValue:  # every message must supply a value, so the length is not known yet
        return
    lay_out(replace(area, text=text))


def lay_out(area: Area) -> Layout:
    """Lay out the text in the largest font size, up to the requested one, at which it fits.

    Lines break between words. Raises TextDrawingError if it does not fit at half the requested size.
    """
    text = _strip_invisible(area.text)
    if len(text) > TEXT_MAX:
        raise TextTooLong(f"the text has {len(text)} characters; at most {TEXT_MAX} are allowed")
    _check_characters(text, area.font)
    paragraphs = [_measure_words(line, area.font) for line in texts.LINE_END.split(text)]
    space = _text_width(" ", area.font)
    for scale in SCALES:
        size = area.font_size * scale
        lines = _wrap(paragraphs, space, area.width / size)
        if lines is not None and len(lines) * LINE_HEIGHT * size <= area.height:
            return Layout(tuple(lines), size)
    box, least = f"{area.width} x {area.height} pixels", f"{area.font_size * SCALES[-1]:g}"
    raise TextTooLong(f"the text does not fit into its box of {box}, not even in a font size of {least}")


def draw_areas(picture: Image.Image, areas: Sequence[Area], size: tuple[int, int]) -> Image.Image:
    """Return the RGB or RGBA picture with the areas' texts drawn onto it; `size` is that of the upright source.

    Raises TextDrawingError.
    """
    result = picture.copy()
    for area in areas:
        _draw_area(result, area, result.width / size[0], result.height / size[1])
    return result


def _strip_invisible(text: str) -> str:
    """Return the composed text without joiners, directional marks and variation selectors."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(c for c in composed if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f")


def _check_characters(text: str, font: Font) -> None:
    undrawable = next((c for c in text if c not in " \t\r\n" and not _is_drawable(c, font)), None)
    if undrawable is not None:
        raise UndrawableCharacter(
            f"the text contains {texts.describe_character(undrawable)}, which cannot be drawn in {font}"
        )


@lru_cache(maxsize=10_000)
def _is_drawable(character: str, font: Font) -> bool:
    """Return whether the font has the character, and it needs no shaping, combining or right-to-left order."""
    standalone = unicodedata.category(character)[0] not in "MCZ" or character == "\xa0"
    if not standalone or unicodedata.bidirectional(character) in {"R", "AL", "AN"}:
        return False
    face = _load_font(font, MEASURING_SIZE)
    missing, mask = face.getmask(UNASSIGNED), face.getmask(character)
    return mask.size != missing.size or bytes(mask) != bytes(missing)


def _measure_words(line: str, font: Font) -> list[tuple[str, float]]:
    return [(word, _text_width(word, font)) for word in SPACES.split(line) if word]


def _text_width(text: str, font: Font) -> float:
    """Return the width in units of the font size."""
    return _load_font(font, MEASURING_SIZE).getlength(text) / MEASURING_SIZE


def _wrap(paragraphs: Sequence[Sequence[tuple[str, float]]], space: float, width: float) -> list[str] | None:
    """Wrap the paragraphs into lines of at most `width`; None if one word is wider. In units of the font size."""
    lines = []
    for words in paragraphs:
        line: list[str] = []
        room = width
        for word, word_width in words:
            if word_width > width:
                return None
            if line and space + word_width > room:
                lines.append(" ".join(line))
                line, room = [], width
            room -= word_width + (space if line else 0)
            line.append(word)
        lines.append(" ".join(line))
    return lines


def _draw_area(picture: Image.Image, area: Area, across: float, down: float) -> None:
    """Draw the area's text at the picture's scale through a mask of its box, which clips it."""
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
    if widest > box[0]:  # glyph widths at small sizes are rounded to whole pixels
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
    # Pillow's basic layout, for the same output everywhere: Raqm is not always installed.
    return ImageFont.truetype(FOLDER / FILES[font], size, layout_engine=ImageFont.Layout.BASIC)
