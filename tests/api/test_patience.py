"""Who does the work of many waits for as many as came together before, and for no more."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from mms.runtime.group_commit import Together
from tests.processes.platform_under_test import eventually


class Office:
    """Work done together, with a door that can be held shut; the sizes of the batches in their order."""

    def __init__(self, patience: float, worthless: bool = False) -> None:
        self.worthless = worthless
        self.batches: list[int] = []
        self.told: list[Sequence[int | None]] = []
        self.begun, self.open = Event(), Event()
        self.together = Together[int, int | None](self._act, afterwards=self.told.append, patience=patience)

    def _act(self, items: Iterator[int]) -> list[int | None]:
        taken = list(items)
        self.begun.set()
        self.open.wait(timeout=60)
        self.batches.append(len(taken))
        return [None if self.worthless else item for item in taken]

    def crowd(self, threads: ThreadPoolExecutor) -> None:
        """One, and three who have to wait while the door is shut behind it."""
        self.open.clear()
        first = threads.submit(self.together, 0)
        assert self.begun.wait(timeout=60)
        others = [threads.submit(self.together, n) for n in (1, 2, 3)]
        eventually(lambda: len(self.together.waiting) == 3)
        self.open.set()
        results = [each.result(timeout=60) for each in (first, *others)]
        assert results == ([None] * 4 if self.worthless else [0, 1, 2, 3])


def test_after_three_came_together_the_next_three_are_waited_for() -> None:
    office = Office(patience=60)
    with ThreadPoolExecutor(4) as threads:
        office.crowd(threads)
        assert [each.result(timeout=60) for each in [threads.submit(office.together, n) for n in (4, 5, 6)]] == [
            4,
            5,
            6,
        ]
    assert office.batches == [1, 3, 3]


def test_who_comes_alone_waits_for_nobody() -> None:
    office = Office(patience=60)
    office.open.set()
    assert [office.together(n) for n in (1, 2, 3)] == [1, 2, 3]
    assert office.batches == [1, 1, 1]


def test_others_who_do_not_come_are_waited_for_no_longer_than_patience_lasts_and_then_for_half_as_many() -> None:
    office = Office(patience=0.01)
    with ThreadPoolExecutor(4) as threads:
        office.crowd(threads)
    assert office.together(7) == 7  # in vain, for three; then for one
    office.together.patience = 60
    begun = time.monotonic()
    assert office.together(8) == 8
    assert time.monotonic() - begun < 30
    assert office.batches == [1, 3, 1, 1]


def test_those_of_whom_nothing_comes_are_not_waited_for() -> None:
    office = Office(patience=60, worthless=True)
    with ThreadPoolExecutor(4) as threads:
        office.crowd(threads)
    begun = time.monotonic()
    assert office.together(7) is None
    assert time.monotonic() - begun < 30
    assert office.batches == [1, 3, 1]
    assert office.told == [[None], [None] * 3, [None]]
