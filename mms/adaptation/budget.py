"""Sharing the bytes of a message among its media."""

from collections.abc import Sequence

SIGNIFICANT_BITS = 5


def share_bytes(needs: Sequence[int], total: int) -> list[int]:
    """Divides `total` bytes by need, never giving more than needed.

    Whoever needs less than an equal share gets all of its need, and the rest is shared among the others:
    a small medium is never starved for a large one.
    """
    shares = [0] * len(needs)
    smallest_first = sorted(range(len(needs)), key=lambda index: needs[index])
    for position, index in enumerate(smallest_first):
        shares[index] = min(needs[index], total // (len(needs) - position))
        total -= shares[index]
    return shares


def round_down(size: int) -> int:
    """`size` rounded down by at most a sixteenth, so that texts a few bytes apart share renditions."""
    spare_bits = max(0, size.bit_length() - SIGNIFICANT_BITS)
    return size >> spare_bits << spare_bits
