"""Who does the work of many waits for as many as came together before, and for no more."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from mms.together import Together
from tests.processes.platform_under_test import eventually


class Office:
    """Work done together, with a door that can be held shut; the sizes of the batches in their order."""

    def __init__(self, patience: float) -> None:
        self.batches: list[int] = []
        self.begun, self.open = Event(), Event()
        self.together = Together[int, int](self._act, afterwards=lambda: None, patience=patience)

    def _act(self, items: Iterator[int]) -> list[int]:
        taken = list(items)
        self.begun.set()
        self.open.wait(timeout=60)
        self.batches.append(len(taken))
        return taken

    def crowd(self, threads: ThreadPoolExecutor) -> None:
        """One, and three who have to wait while the door is shut behind it."""
        self.open.clear()
        first = threads.submit(self.together, 0)
        assert self.begun.wait(timeout=60)
        others = [threads.submit(self.together, n) for n in (1, 2, 3)]
        eventually(lambda: len(self.together.waiting) == 3)
        self.open.set()
        assert [each.result(timeout=60) for each in (first, *others)] == [0, 1, 2, 3]


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


def test_others_who_do_not_come_are_waited_for_no_longer_than_patience_lasts() -> None:
    office = Office(patience=0.01)
    with ThreadPoolExecutor(4) as threads:
        office.crowd(threads)
    assert office.together(7) == 7
    assert office.batches == [1, 3, 1]
