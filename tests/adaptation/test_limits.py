import pytest
from hypothesis import given
from hypothesis import strategies as st

from mms.adaptation.limits import fit, fits, restrict
from tests.adaptation.pictures import limits

sides = st.integers(1, 5_000)


@pytest.mark.parametrize(
    ("given", "expected"),
    [((), 300_000), ((None,), 300_000), ((None, 100_000), 100_000), ((1_048_576, 614_400), 300_000)],
)
def test_restrict_applies_the_smallest_limit(given: tuple[int | None, ...], expected: int) -> None:
    assert restrict(limits(), *given) == limits(message_bytes=expected)


@pytest.mark.parametrize(
    ("size", "box", "fitted"),
    [
        ((4000, 3000), (640, 480), (640, 480)),
        ((3000, 4000), (640, 480), (480, 640)),
        ((4000, 3000), (480, 640), (640, 480)),
        ((320, 240), (640, 480), (320, 240)),
        ((1000, 1000), (640, 480), (480, 480)),
        ((4000, 1000), (640, 480), (640, 160)),
        ((10_000, 3), (640, 480), (640, 1)),
        ((160, 120), (128, 128), (128, 96)),
    ],
)
def test_picture_fits_the_box_in_either_orientation(
    size: tuple[int, int], box: tuple[int, int], fitted: tuple[int, int]
) -> None:
    assert fit(*size, *box) == fitted


@given(sides, sides, sides, sides)
def test_fitted_picture_fits_and_is_not_enlarged(width: int, height: int, long: int, short: int) -> None:
    fitted = fit(width, height, long, short)
    assert fits(*fitted, long, short)
    assert fitted[0] <= width
    assert fitted[1] <= height
    assert max(fitted) <= max(long, short)
    assert min(fitted) <= min(long, short)


@given(sides, sides, sides, sides)
def test_fitting_is_idempotent(width: int, height: int, long: int, short: int) -> None:
    fitted = fit(width, height, long, short)
    assert fit(width, height, *fitted) == fitted
