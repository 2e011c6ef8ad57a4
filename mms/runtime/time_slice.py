"""How long a task works on before it ends, however much is due: its queue has others, who wait for a free worker."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Generic

from mms.runtime.in_flight import Flight, Key

LENGTH: Final = timedelta(seconds=30)


@dataclass
class Shift(Generic[Key]):
    """The shift of a task that has requests in flight; `whose` is the carrier or the account that one goes to.

    A task that ends lets land what it has, and serves nobody meanwhile. So that servers that hang do not make all the
    others wait for that, they are served no longer once the time is up, and it is over when what they had has landed.
    """

    flight: Flight[Key]
    clock: Callable[[], datetime]
    whose: Callable[[Key], int]
    served_no_longer: frozenset[int] = frozenset()
    _end: datetime = field(init=False)
    _ending: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._end = self.clock() + LENGTH

    def over(self) -> bool:
        """Whether the task is to take on nothing more."""
        if not self._ending and self.clock() >= self._end:
            self._ending = True
            self.served_no_longer = frozenset(map(self.whose, self.flight.late))
        return self._ending and self.served_no_longer.isdisjoint(map(self.whose, self.flight.keys))
