"""Distribution of a message's bytes among its media."""

from collections.abc import Sequence

SIGNIFICANT_BITS = 5


def share_bytes(needs: Sequence[int], total: int) -> list[int]:
    """Divide `total` bytes among the needs; no share exceeds its need.

    A need below an equal share is met in full, and the remainder is divided among the others, so a large medium
    never starves a small one.
    """
    shares = [0] * len(needs)
    smallest_first = sorted(range(len(needs)), key=lambda index: needs[index])
    for position, index in enumerate(smallest_first):
        shares[index] = min(needs[index], total // (len(needs) - position))
        total -= shares[index]
    return shares


def round_down(size: int) -> int:
    """Round `size` down by at most a sixteenth, so that messages with slightly different texts share renditions."""
    spare_bits = max(0, size.bit_length() - SIGNIFICANT_BITS)
    return size >> spare_bits << spare_bits
