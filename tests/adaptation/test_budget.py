import pytest
from hypothesis import given
from hypothesis import strategies as st

from mms.adaptation.budget import round_down, share_bytes

needs_lists = st.lists(st.integers(0, 1_000_000), min_size=1, max_size=8)
totals = st.integers(0, 2_000_000)


@pytest.mark.parametrize(
    ("needs", "total", "shares"),
    [
        ([], 100, []),
        ([50], 100, [50]),
        ([500], 100, [100]),
        ([500, 500], 100, [50, 50]),
        ([10, 500], 100, [10, 90]),
        ([500, 10, 500], 100, [45, 10, 45]),
        ([20, 40, 500], 100, [20, 40, 40]),
    ],
)
def test_bytes_are_shared_by_need(needs: list[int], total: int, shares: list[int]) -> None:
    assert share_bytes(needs, total) == shares


@given(needs_lists, totals)
def test_shares_stay_within_the_total_and_the_needs(needs: list[int], total: int) -> None:
    shares = share_bytes(needs, total)
    assert sum(shares) <= total
    assert all(size <= need for size, need in zip(shares, needs, strict=True))


@given(needs_lists, totals)
def test_share_is_at_least_the_need_or_an_equal_share(needs: list[int], total: int) -> None:
    shares = share_bytes(needs, total)
    assert all(size >= min(need, total // len(needs)) for size, need in zip(shares, needs, strict=True))


@given(needs_lists, totals)
def test_no_byte_is_left_over_while_a_need_is_unmet(needs: list[int], total: int) -> None:
    assert sum(share_bytes(needs, total)) == min(sum(needs), total)


@given(st.integers(1, 3_000_000))
def test_rounding_down_removes_at_most_a_sixteenth(size: int) -> None:
    assert size * 15 / 16 < round_down(size) <= size


def test_similar_sizes_round_down_to_the_same_value() -> None:
    assert len({round_down(size) for size in range(95_000, 96_000)}) == 1
