"""The time slice of a task: at its end the task stops, however much is due, because its queue serves other tasks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic

from mms.runtime.in_flight import InFlight, Key

LENGTH: Final = timedelta(seconds=30)


@dataclass
class TimeSlice(Generic[Key]):
    """The time slice of a task with requests in flight; `destination` returns the carrier or account of one.

    At the end of its slice a task stops claiming and drains its in-flight requests. Hanging servers would delay the
    others by that, so their destinations are `excluded` first, and the slice is over once their requests completed.
    """

    in_flight: InFlight[Key]
    clock: Callable[[], datetime]
    destination: Callable[[Key], int]
    excluded: frozenset[int] = frozenset()
    _end: datetime = field(init=False)
    _ending: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._end = self.clock() + LENGTH

    def over(self) -> bool:
        """Return whether the task must stop claiming."""
        if not self._ending and self.clock() >= self._end:
            self._ending = True
            self.excluded = frozenset(map(self.destination, self.in_flight.slow_keys))
        return self._ending and self.excluded.isdisjoint(map(self.destination, self.in_flight.keys))
