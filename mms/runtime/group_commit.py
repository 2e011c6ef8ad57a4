"""Work of many threads done in one go: one of them does it for all that wait at the same moment."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Lock
from typing import Final, Generic, TypeVar

from base.request_slots import given_back

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST: Final = 64  # items at once


class Together(Generic[Item, Result]):
    """Calls `act` with the items of the threads that wait, and gives each thread the result of its own.

    One thread acts at a time. It takes the items one by one, and with them those that come while it does; then it
    leaves the lead to the first of those that came later. What `act` raises is raised in each thread whose item it
    had. Who has acted calls `afterwards` with the results, when the others have theirs.

    Before it begins, it waits up to `patience` seconds until as many are there as came together before; a result of
    None is of nobody who counts. Where fewer come, half as many are waited for the next time: after a crowd of 64, six
    times at most is waited in vain.
    """

    def __init__(
        self,
        act: Callable[[Iterator[Item]], Sequence[Result]],
        afterwards: Callable[[Sequence[Result]], None],
        patience: float = 0.0,
    ) -> None:
        self._act, self._afterwards, self.patience = act, afterwards, patience
        self._lock = Lock()
        self.waiting: deque[_Turn[Item, Result]] = deque()
        self._led = False
        self._expected, self._enough = 1, Event()

    def __call__(self, item: Item) -> Result:
        """The result for this item, once it is there."""
        turn = _Turn[Item, Result](item)
        with self._lock:
            self.waiting.append(turn)
            if len(self.waiting) >= self._expected:
                self._enough.set()
            if not self._led:
                self._led = True
                turn.said.put(None)
        with given_back():
            leads = turn.said.get() is None
        if leads:
            self._lead()
        return turn.result()

    def _lead(self) -> None:
        """Acts for those that wait; the caller is the first of them."""
        turns: list[_Turn[Item, Result]] = []
        results: Sequence[Result] = []
        self._enough.wait(self.patience)
        try:
            results = self._act(self._items(turns))
            for turn, result in zip(turns, results, strict=True):
                turn.end(result)
        except BaseException as problem:  # noqa: BLE001 - it is raised in every one of the threads
            for turn in turns:
                turn.fail(problem)
        finally:
            self._hand_over(sum(result is not None for result in results))
        self._afterwards(results)

    def _items(self, taken: "list[_Turn[Item, Result]]") -> Iterator[Item]:
        """Those that wait, until there are no more; notes whose they are. Nobody else takes any meanwhile."""
        while self.waiting and len(taken) < MOST:
            taken.append(self.waiting.popleft())
            yield taken[-1].item

    def _hand_over(self, came: int) -> None:
        with self._lock:
            self._led = bool(self.waiting)
            # Not as few at once as came: of those who come in crowds, some are ahead of the others now and then.
            self._expected = max(came, self._expected // 2, 1)
            if len(self.waiting) < self._expected:
                self._enough.clear()
            if self.waiting:
                self.waiting[0].said.put(None)


class _Turn(Generic[Item, Result]):
    """An item whose thread waits: for its result, or to be told to lead (None)."""

    def __init__(self, item: Item) -> None:
        self.item = item
        self.said: SimpleQueue[bool | None] = SimpleQueue()
        self._result: Result
        self._problem: BaseException | None = None

    def end(self, result: Result) -> None:
        self._result = result
        self.said.put(True)

    def fail(self, problem: BaseException) -> None:
        self._problem = problem
        self.said.put(False)

    def result(self) -> Result:
        if self._problem:
            raise self._problem
        return self._result
