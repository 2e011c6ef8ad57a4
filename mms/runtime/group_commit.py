"""Group commit: one request thread commits a batch for all requests that wait at the same time.

A transaction costs as much for 64 rows as for one, and parallel threads contend for the interpreter.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Event, Lock
from time import perf_counter
from typing import Any, Final, Generic, TypeVar

import structlog
from django.db import connection

from base import request_slots

log = structlog.get_logger()

Item = TypeVar("Item")
Result = TypeVar("Result")
Outcome = TypeVar("Outcome")

MAX_BATCH: Final = 64


class GroupCommitError(Exception):
    """The batch ended in an unforeseen way, so the outcome of its items is unknown. None of them is repeated."""


class Undecided:
    """The result of an item that the batch neither committed nor rejected: it is retried alone."""


UNDECIDED: Final = Undecided()


class Batch(Iterator[Item]):
    """The items of one commit, read from the queue one by one, including those that arrive while others are read."""

    def __init__(self, queue: "deque[_Entry[Item]]", max_size: int, wait: float) -> None:
        self._queue, self._max_size = queue, max_size
        self._entries: list[_Entry[Item]] = []
        self._read = False  # whether the end of the queue, or of the batch, was reached
        self.wait = wait  # seconds that the leader waited for items

    @property
    def size(self) -> int:
        """The number of items read so far."""
        return len(self._entries)

    @property
    def log_fields(self) -> dict[str, float]:
        """Size and wait of the batch, for the log line of each item."""
        return {"batch": self.size, "batch_wait_ms": round(self.wait * 1000, 2)}

    def __next__(self) -> Item:
        if not self._queue or len(self._entries) >= self._max_size:
            self._read = True
            raise StopIteration
        self._entries.append(self._queue.popleft())
        return self._entries[-1].item

    def all(self) -> list[Item]:
        """Return all items, after reading the rest."""
        if not self._read:
            deque(self, maxlen=0)
        return [entry.item for entry in self._entries]

    def deliver(self, results: Sequence[object]) -> None:
        """Pass each waiting thread the result of its item."""
        for entry, result in zip(self._entries, results, strict=True):
            entry.result.put(result)

    def abandon(self, result: Outcome) -> list[Outcome]:
        """Deliver this result to every item, those not read yet included, and return them.

        The next batch might fail in the same way, and as late.
        """
        results = [result] * len(self.all())
        self.deliver(results)
        return results


class GroupCommit(Generic[Item, Result]):
    """A queue whose items are committed in batches, each by one of the waiting threads.

    One thread at a time is the leader: it passes up to `max_batch` queued items to `commit`, delivers the results, and
    hands leadership to the first thread that still waits. It then calls `after_commit` with the results.

    Before it reads the first item, the leader waits up to `max_wait` seconds for as many items as the last batch had.
    If fewer arrive, it expects half as many the next time, so after a batch of 64 it waits in vain at most six times.
    Undecided items do not count.

    If `commit` raises, it must have committed nothing: each thread then calls `on_batch_failure` with its own item,
    once, as it does if its result is UNDECIDED. An exception of `on_batch_failure` is raised by `submit`.
    """

    def __init__(
        self,
        commit: Callable[[Batch[Item]], Sequence[Result | Undecided]],
        on_batch_failure: Callable[[Item], Result],
        *,
        max_batch: int = MAX_BATCH,
        max_wait: float = 0.0,
        after_commit: Callable[[Sequence[Result | Undecided]], None] = lambda _: None,
    ) -> None:
        self._commit, self._on_batch_failure, self._after_commit = commit, on_batch_failure, after_commit
        self._max_batch, self._max_wait = max_batch, max_wait
        self._lock = Lock()
        self._queue: deque[_Entry[Item]] = deque()
        self._has_leader = False
        self._expected, self._expected_arrived = 1, Event()

    @property
    def waiting(self) -> int:
        """The number of items that no batch has read yet."""
        return len(self._queue)

    def submit(self, item: Item) -> Result:
        """Commit the item, in a batch or alone, and return its result: at once, without the request's slots."""
        entry = _Entry(item)
        self._enqueue(entry)
        slots = request_slots.release()
        answer = entry.result.get()
        if answer is _LEAD or answer is UNDECIDED:  # there is more to do
            request_slots.acquire(slots, first=True)
        if answer is _LEAD:
            self._lead()
            answer = entry.result.get()
        if isinstance(answer, GroupCommitError):
            raise answer
        return self._on_batch_failure(item) if answer is UNDECIDED else answer

    def _enqueue(self, entry: "_Entry[Item]") -> None:
        with self._lock:
            self._queue.append(entry)
            if len(self._queue) >= self._expected:
                self._expected_arrived.set()
            if not self._has_leader:
                self._has_leader = True
                entry.result.put(_LEAD)

    def _lead(self) -> None:
        """Commit a batch of queued items, the leader's own first."""
        began = perf_counter()
        self._expected_arrived.wait(self._max_wait)
        batch = Batch(self._queue, self._max_batch, perf_counter() - began)
        results: Sequence[Result | Undecided] = []
        try:
            results = self._commit_and_deliver(batch)
        finally:
            self._hand_over(sum(result is not UNDECIDED for result in results))
        try:
            self._after_commit(results)
        except Exception:
            log.exception("a step after the commit failed")

    def _commit_and_deliver(self, batch: Batch[Item]) -> Sequence[Result | Undecided]:
        try:
            results = self._commit(batch)
        except Exception as problem:  # noqa: BLE001 - each thread meets it again with its own item
            log.warning("batch failed, retrying each item alone", items=batch.size, problem=str(problem).strip())
            if not connection.in_atomic_block:  # as in a test
                connection.close_if_unusable_or_obsolete()  # the leader retries on it
            return batch.abandon(UNDECIDED)
        except BaseException as problem:
            batch.abandon(GroupCommitError(repr(problem)))
            raise
        if not batch.size:
            return batch.abandon(UNDECIDED)
        if len(results) != batch.size:
            batch.abandon(GroupCommitError(f"{len(results)} results for {batch.size} items"))
            return []
        batch.deliver(results)
        return results

    def _hand_over(self, decided: int) -> None:
        with self._lock:
            self._has_leader = bool(self._queue)
            # At least half of the last expectation: now and then a few items arrive ahead of the others.
            self._expected = max(decided, self._expected // 2, 1)
            if len(self._queue) < self._expected:
                self._expected_arrived.clear()
            else:
                self._expected_arrived.set()
            if self._queue:
                self._queue[0].result.put(_LEAD)


_LEAD: Final = object()


class _Entry(Generic[Item]):
    """A queued item, with the queue from which its thread reads _LEAD or the result."""

    __slots__ = ("item", "result")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.result: SimpleQueue[Any] = SimpleQueue()
