"""Presentation of a received message."""

import pytest

from simulator.mime import Malformed
from simulator.presentation import Item, Region, Slide, parse, parse_clock_value
from simulator.submit import read_submit
from tests.simulator.network import sample


def test_smil_is_parsed_into_slides_with_parts_and_regions() -> None:
    captured = sample("picture")
    presentation = read_submit(captured.headers["Content-Type"], captured.body).presentation
    assert (presentation.width, presentation.height) == (128, 160)
    assert presentation.regions == (
        Region("Image", 0.0, 0.0, 1.0, 0.6, "meet"),
        Region("Text", 0.0, 0.6, 1.0, 0.4, "hidden"),
    )
    assert presentation.slides == (
        Slide(3.0, (Item(1, "image/jpeg", "Image"), Item(2, "text/plain", "Text"))),
        Slide(1.5, (Item(3, "text/plain", "Text"),)),
    )


def test_message_without_smil_is_one_slide_of_all_parts() -> None:
    captured = sample("text")
    presentation = read_submit(captured.headers["Content-Type"], captured.body).presentation
    assert presentation.slides == (Slide(5.0, (Item(0, "text/plain", None),)),)


def test_empty_message_has_no_slide() -> None:
    assert parse(()).slides == ()


@pytest.mark.parametrize(
    ("clock_value", "expected"),
    [("5s", 5), ("1500ms", 1.5), ("8", 8), ("2.5s", 2.5), ("1min", 60), ("01:30", 90), ("1:00:02.5", 3602.5)],
)
def test_clock_values_are_converted_to_seconds(clock_value: str, expected: float) -> None:
    assert parse_clock_value(clock_value) == expected


@pytest.mark.parametrize("clock_value", ["", "soon", "5 s", "-1s", "1:2:3"])
def test_invalid_clock_values_raise_malformed(clock_value: str) -> None:
    with pytest.raises(Malformed, match="is not a clock value"):
        parse_clock_value(clock_value)


def test_binary_parts_are_unchanged() -> None:
    captured = sample("picture")
    parts = read_submit(captured.headers["Content-Type"], captured.body).parts
    assert parts[1].content.startswith(b"\xff\xd8\xff")
    assert parts[1].content.endswith(b"\xff\xd9")
    assert parts[2].content.decode() == "Voilà: 20 % off until Sunday."
    assert parts[3].content == b"Goodbye"


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n", b"--", b"\r\n--inner-2844", b"\x00"])
def test_part_can_end_in_any_bytes(ending: bytes) -> None:
    captured = sample("picture").replacing(b"\xff\xd9", b"\xff\xd9" + ending)
    parts = read_submit(captured.headers["Content-Type"], captured.body).parts
    assert parts[1].content.endswith(b"\xff\xd9" + ending)
