"""Calls of many threads done together: one commit for requests that wait at the same moment."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger()

Item = TypeVar("Item")

MOST = 64  # calls done at once


@dataclass(eq=False, slots=True)
class _Call(Generic[Item]):
    item: Item
    begun: bool = False
    done: bool = False


class Together(Generic[Item]):
    """Does `act` for the items of all threads that called it while an earlier `act` was at work.

    It has no thread of its own: whoever has the turn acts for all that wait. Where that fails, each acts for itself,
    so that one bad item fails its own call alone.
    """

    def __init__(self, act: Callable[[Sequence[Item]], None]) -> None:
        self._act = act
        self._waiting: deque[_Call[Item]] = deque()
        self._turn = threading.Lock()

    def __call__(self, item: Item) -> None:
        """Returns once `act` has returned for the item; raises what it raised."""
        call = _Call(item)
        self._waiting.append(call)
        with self._turn:
            while not call.begun:
                self._act_for_next()
        if not call.done:
            self._act([item])

    def _act_for_next(self) -> None:
        calls = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        for call in calls:
            call.begun = True
        try:
            self._act([call.item for call in calls])
        except Exception as problem:  # noqa: BLE001 - whatever it is, it comes again to the thread whose it is
            log.warning("done together, it failed: each for itself now", calls=len(calls), problem=str(problem).strip())
        else:
            for call in calls:
                call.done = True
