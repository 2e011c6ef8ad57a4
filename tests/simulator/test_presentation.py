"""How a received message would play."""

import pytest

from simulator.mime import Malformed
from simulator.presentation import Item, Region, Slide, read, seconds
from simulator.submit import read_submit
from tests.simulator.network import sample


def test_smil_becomes_slides_with_their_parts_and_regions() -> None:
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


def test_a_message_without_smil_is_one_slide_of_all_parts() -> None:
    captured = sample("text")
    presentation = read_submit(captured.headers["Content-Type"], captured.body).presentation
    assert presentation.slides == (Slide(5.0, (Item(0, "text/plain", None),)),)


def test_a_message_of_nothing_has_no_slide() -> None:
    assert read(()).slides == ()


@pytest.mark.parametrize(
    ("clock_value", "expected"),
    [("5s", 5), ("1500ms", 1.5), ("8", 8), ("2.5s", 2.5), ("1min", 60), ("01:30", 90), ("1:00:02.5", 3602.5)],
)
def test_clock_values_are_seconds(clock_value: str, expected: float) -> None:
    assert seconds(clock_value) == expected


@pytest.mark.parametrize("clock_value", ["", "soon", "5 s", "-1s", "1:2:3"])
def test_other_clock_values_are_refused(clock_value: str) -> None:
    with pytest.raises(Malformed, match="is no clock value"):
        seconds(clock_value)


def test_binary_parts_arrive_as_they_were_sent() -> None:
    captured = sample("picture")
    parts = read_submit(captured.headers["Content-Type"], captured.body).parts
    assert parts[1].content.startswith(b"\xff\xd8\xff")
    assert parts[1].content.endswith(b"\xff\xd9")
    assert parts[2].content.decode() == "Voilà: 20 % off until Sunday."
    assert parts[3].content == b"Goodbye"


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n", b"--", b"\r\n--inner-2844", b"\x00"])
def test_a_part_may_end_in_any_bytes(ending: bytes) -> None:
    captured = sample("picture").having(b"\xff\xd9", b"\xff\xd9" + ending)
    parts = read_submit(captured.headers["Content-Type"], captured.body).parts
    assert parts[1].content.endswith(b"\xff\xd9" + ending)
