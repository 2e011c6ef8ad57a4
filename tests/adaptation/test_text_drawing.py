"""Tests of text areas: layout in source pixels, drawing at any scale, clipping to the box."""

from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from mms.adaptation.content import Align, Area, Font, VerticalAlign
from mms.adaptation.images import resize
from mms.adaptation.plan import Recipe
from mms.adaptation.text_drawing import (
    TextDrawingError,
    TextTooLong,
    UndrawableCharacter,
    bounds_problem,
    check_area,
    draw_areas,
    lay_out,
)
from tests.adaptation.pictures import decode_picture, encode_picture, photo

SIZE = (400, 200)
WHITE = Image.new("RGB", SIZE, "white")


def area(text: str, **changes: Any) -> Area:
    return Area(**{"text": text, "left": 50, "top": 40, "width": 300, "height": 120, "font_size": 40, **changes})


def drawn_box(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the box of all pixels that are not white."""
    return ImageChops.difference(picture.convert("RGB"), Image.new("RGB", picture.size, "white")).getbbox()


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    return {cast(tuple[int, ...], colour) for _, colour in picture.getcolors(10_000) or ()}


@pytest.mark.parametrize(
    ("text", "lines", "font_size"),
    [
        ("Bill", ("Bill",), 40),
        ("Dear Bill", ("Dear Bill",), 40),
        ("Dear Bill, how do you do?", ("Dear Bill, how", "do you do?"), 40),
        ("  Dear \t Bill  ", ("Dear Bill",), 40),
        ("Dear\r\nBill", ("Dear", "Bill"), 40),
        ("a\n\nb", ("a", "", "b"), 32),
        ("Zoe\u0308", ("Zoë",), 40),
        ("a\u200db\ufe0f", ("ab",), 40),
        ("Dear\xa0Bill, how\xa0do\xa0you do?", ("Dear\xa0Bill,", "how\xa0do\xa0you do?"), 38),
        ("Your account XYZ23456 is ready for you now", ("Your account", "XYZ23456 is", "ready for you now"), 32),
        ("Donaudampfschifffahrtsgesellschaft", ("Donaudampfschifffahrtsgesellschaft",), 0),
    ],
)
def test_text_wraps_at_words_and_shrinks_to_fit(text: str, lines: tuple[str, ...], font_size: float) -> None:
    if not font_size:
        with pytest.raises(TextTooLong):
            lay_out(area(text))
        return
    found = lay_out(area(text))
    assert (found.lines, found.font_size) == (lines, font_size)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("x" * 501, "the text has 501 characters; at most 500 are allowed"),
        (
            "word " * 60,
            "the text does not fit into its box of 300 x 120 pixels, not even in a font size of 20",
        ),
    ],
)
def test_too_long_text_is_refused(text: str, problem: str) -> None:
    with pytest.raises(TextTooLong) as refused:
        lay_out(area(text))
    assert str(refused.value) == problem


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("日本", '"日" (U+65E5 CJK UNIFIED IDEOGRAPH-65E5)'),
        ("שלום", '"ש" (U+05E9 HEBREW LETTER SHIN)'),
        ("مرحبا", '"م" (U+0645 ARABIC LETTER MEEM)'),
        ("q\u0308", '"\u0308" (U+0308 COMBINING DIAERESIS)'),
        ("a\x00", "(U+0000 control character)"),
    ],
)
def test_undrawable_character_is_refused_by_name(text: str, character: str) -> None:
    with pytest.raises(UndrawableCharacter) as refused:
        lay_out(area(text))
    assert str(refused.value) == f"the text contains {character}, which cannot be drawn in sans"


@pytest.mark.parametrize("text", ["Grüße, Łukasz", "Καλημέρα", "Привет", "Բարեւ", "გამარჯობა", "€ 5 ½ — “x” ☺ 😀"])
@pytest.mark.parametrize("font", Font)
def test_european_scripts_and_common_symbols_are_drawn(text: str, font: Font) -> None:
    assert drawn_box(draw_areas(WHITE, [area(text, font=font, font_size=24)], SIZE))


@pytest.mark.parametrize("text", ["{{first}} 日", "Far too long: " + "word " * 60, "{{a|" + "word " * 60 + "}}"])
def test_area_that_no_message_can_draw_is_refused(text: str) -> None:
    with pytest.raises(TextDrawingError):
        check_area(area(text))
    check_area(area("{{first}} " + "word " * 20))  # the length is not known until the tag has a value


def test_box_beyond_the_picture_is_reported() -> None:
    assert bounds_problem(area("a"), (350, 160)) is None
    assert bounds_problem(area("a"), (349, 160)) == "it reaches to 350 x 160 pixels; the image has 349 x 160"
    assert bounds_problem(area("a"), (350, 159)) == "it reaches to 350 x 160 pixels; the image has 350 x 159"


@pytest.mark.parametrize("align", Align)
@pytest.mark.parametrize("vertical_align", VerticalAlign)
def test_text_is_aligned_in_its_box(align: Align, vertical_align: VerticalAlign) -> None:
    box = drawn_box(draw_areas(WHITE, [area("HH", align=align, vertical_align=vertical_align)], SIZE))
    assert box
    left, top, right, bottom = box[0] - 50, box[1] - 40, 350 - box[2], 160 - box[3]
    assert {Align.LEFT: left < 6, Align.CENTER: abs(left - right) < 3, Align.RIGHT: right < 6}[align]
    places = {
        VerticalAlign.TOP: top < 12,
        VerticalAlign.MIDDLE: abs(top - bottom) < 8,
        VerticalAlign.BOTTOM: bottom < 14,
    }
    assert places[vertical_align]


def test_text_has_the_requested_font_and_colour() -> None:
    plain, bold = (draw_areas(WHITE, [area("Bill", font=font, color="#Ff0000")], SIZE) for font in Font)
    assert sum(bold.convert("L").histogram()[:128]) > 1.3 * sum(plain.convert("L").histogram()[:128]) > 0
    assert (255, 0, 0) in colours(plain)
    assert {red for red, *_ in colours(plain)} == {255}


def test_text_has_full_colour_on_transparent_pixels() -> None:
    drawn = draw_areas(Image.new("RGBA", SIZE), [area("Bill", color="#ff0000")], SIZE)
    assert {colour[:3] for colour in colours(drawn) if colour[3]} == {(255, 0, 0)}


@settings(max_examples=40, deadline=None)
@given(
    text=st.text("iW gÅ.\n", min_size=1, max_size=40),
    box=st.tuples(st.integers(0, 200), st.integers(0, 100), st.integers(1, 200), st.integers(1, 100)),
    font_size=st.integers(6, 80),
    align=st.sampled_from(Align),
    vertical_align=st.sampled_from(VerticalAlign),
    scale=st.sampled_from([0.05, 0.32, 0.5, 0.77, 1.0]),
)
def test_drawing_is_clipped_to_the_box_and_deterministic(
    text: str,
    box: tuple[int, int, int, int],
    font_size: int,
    align: Align,
    vertical_align: VerticalAlign,
    scale: float,
) -> None:
    left, top, width, height = box
    placed = Area(text, left, top, width, height, font_size, align=align, vertical_align=vertical_align)
    small = WHITE.resize((round(400 * scale), round(200 * scale)))
    try:
        drawn = draw_areas(small, [placed], SIZE)
    except TextTooLong:
        return
    touched = drawn_box(drawn)
    if touched:
        assert touched[0] >= round(left * scale)
        assert touched[1] >= round(top * scale)
        assert touched[2] <= max(round((left + width) * scale), round(left * scale) + 1)
        assert touched[3] <= max(round((top + height) * scale), round(top * scale) + 1)
    assert drawn.tobytes() == draw_areas(small, [placed], SIZE).tobytes()


def test_text_is_drawn_after_resizing_and_rotation() -> None:
    """Text drawn at the final size reaches full black; text resized with the picture would not."""
    lying = photo(width=1600, height=3200, orientation=6)
    exif = Image.Exif()
    exif[274] = 6
    data = encode_picture(Image.new("RGB", (1600, 3200), "white"), "JPEG", exif=exif.tobytes())
    assert lying.upright_size == (3200, 1600)
    text = area("Illiterate", left=400, top=320, width=2400, height=960, font_size=100)
    made = resize(
        data, Recipe(400, 400, 50_000, "image/jpeg"), lambda picture: draw_areas(picture, [text], lying.upright_size)
    )
    picture = decode_picture(made.data)
    dark = picture.convert("L").point(lambda value: 255 if value < 128 else 0).getbbox()
    assert picture.size == (400, 200)
    assert dark
    assert dark[0] >= 50
    assert dark[1] >= 40
    assert dark[3] < 60
    assert sum(picture.convert("L").histogram()[:40])
