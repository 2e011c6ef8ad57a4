"""Group commit: sizes of batches, waiting for items, hand-over of leadership, the single retry."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest

from mms.runtime.group_commit import UNDECIDED, Batch, GroupCommit, GroupCommitError, Undecided
from tests.processes.platform_under_test import eventually

pytestmark = pytest.mark.django_db  # a failed batch looks at the connection of its thread

LONG = 60.0  # seconds: a test that waits so long has failed

Commit = Callable[[list[int]], list[int | Undecided]]


class Committer:
    """A GroupCommit of numbers whose commits can be held up; records its batches and retries."""

    def __init__(self, commit: Commit = lambda items: [*items], *, max_batch: int = 64, max_wait: float = 0.0) -> None:
        self.batches: list[list[int]] = []
        self.waits: list[float] = []
        self.retried: list[int] = []
        self.delivered: list[Sequence[int | Undecided]] = []
        self.commit = commit
        self.reached, self.gate = Event(), Event()
        self.gate.set()
        self.group = GroupCommit[int, int](
            self._commit, self._retry, max_batch=max_batch, max_wait=max_wait, after_commit=self.delivered.append
        )

    def _commit(self, batch: Batch[int]) -> list[int | Undecided]:
        items = list(batch)
        self.batches.append(items)
        self.waits.append(batch.wait)
        self.reached.set()
        assert self.gate.wait(LONG)
        return self.commit(items)

    def _retry(self, item: int) -> int:
        self.retried.append(item)
        if item < 0:
            raise ValueError(item)
        return -item

    def submit_behind(self, threads: ThreadPoolExecutor, first: int, others: Sequence[int]) -> list[Future[int]]:
        """Submit `first`, and the others in their order while it is being committed."""
        self.gate.clear()
        self.reached.clear()
        submitted = [threads.submit(self.group.submit, first)]
        assert self.reached.wait(LONG)
        for item in others:
            submitted.append(threads.submit(self.group.submit, item))
            eventually(lambda: self.group.waiting == len(submitted) - 1)
        self.gate.set()
        return submitted

    def results_behind(self, first: int, others: Sequence[int]) -> list[int]:
        with ThreadPoolExecutor(len(others) + 1) as threads:
            return [each.result(LONG) for each in self.submit_behind(threads, first, others)]


def test_waiting_items_share_a_batch() -> None:
    committer = Committer()
    assert committer.results_behind(1, [2, 3, 4]) == [1, 2, 3, 4]
    assert committer.batches == [[1], [2, 3, 4]]


def test_batch_has_at_most_max_batch_items() -> None:
    committer = Committer(max_batch=2)
    assert committer.results_behind(1, [2, 3, 4, 5, 6]) == [1, 2, 3, 4, 5, 6]
    assert committer.batches == [[1], [2, 3], [4, 5], [6]]


def test_items_arriving_during_the_read_join_the_batch() -> None:
    batches: list[list[int]] = []

    def commit(batch: Batch[int]) -> list[int]:
        items = [next(batch)]
        late.append(threads.submit(group.submit, 2) if len(batches) == 0 else late[0])
        eventually(lambda: group.waiting == 1)
        items += batch
        batches.append(items)
        assert batch.size == 2
        return items

    late: list[Future[int]] = []
    group = GroupCommit[int, int](commit, lambda item: -item)
    with ThreadPoolExecutor(1) as threads:
        assert group.submit(1) == 1
        assert late[0].result(LONG) == 2
    assert batches == [[1, 2]]


# --- waiting for items --------------------------------------------------------------------------------------------


def test_leader_waits_for_as_many_items_as_before() -> None:
    committer = Committer(max_wait=LONG)
    committer.results_behind(1, [2, 3, 4])
    with ThreadPoolExecutor(3) as threads:
        assert sorted(threads.map(committer.group.submit, [5, 6, 7], timeout=LONG)) == [5, 6, 7]
    assert [len(batch) for batch in committer.batches] == [1, 3, 3]


def test_lone_item_does_not_wait() -> None:
    committer = Committer(max_wait=LONG)
    assert [committer.group.submit(item) for item in (1, 2, 3)] == [1, 2, 3]
    assert max(committer.waits) < LONG / 2


def test_wait_ends_at_max_wait_and_expects_half_as_many() -> None:
    committer = Committer(max_wait=0.01)
    committer.results_behind(1, [2, 3, 4, 5])
    assert [committer.group.submit(item) for item in (6, 7, 8)] == [6, 7, 8]
    # In vain for four, in vain for two, then for one.
    assert [wait >= 0.01 for wait in committer.waits[2:]] == [True, True, False]


def test_undecided_items_are_not_expected_again() -> None:
    committer = Committer(lambda items: [UNDECIDED] * len(items), max_wait=LONG)
    assert committer.results_behind(1, [2, 3, 4]) == [-1, -2, -3, -4]
    assert committer.group.submit(5) == -5
    assert committer.waits[-1] < LONG / 2


# --- the single retry ---------------------------------------------------------------------------------------------


def broken(items: list[int]) -> list[int | Undecided]:
    raise RuntimeError("the batch cannot be committed")


def test_failed_batch_retries_each_item_alone_once() -> None:
    committer = Committer(broken)
    assert committer.results_behind(1, [2, 3]) == [-1, -2, -3]
    assert committer.batches == [[1], [2, 3]]
    assert sorted(committer.retried) == [1, 2, 3]


def test_failing_retry_raises_to_its_own_caller() -> None:
    committer = Committer(broken)
    with ThreadPoolExecutor(3) as threads:
        first, failing, other = committer.submit_behind(threads, 1, [-2, 3])
        with pytest.raises(ValueError, match="-2"):
            failing.result(LONG)
        assert (first.result(LONG), other.result(LONG)) == (-1, -3)
    assert committer.retried.count(-2) == 1


def test_failed_batch_hands_over_leadership() -> None:
    def fail_first(items: list[int]) -> list[int | Undecided]:
        return broken(items) if items == [1] else [*items]

    committer = Committer(fail_first)
    assert committer.results_behind(1, [2, 3]) == [-1, 2, 3]
    assert committer.group.submit(4) == 4


def test_commit_failing_before_reading_retries_the_leader() -> None:
    def commit(_: Batch[int]) -> list[int]:
        raise RuntimeError("no connection")

    group = GroupCommit[int, int](commit, lambda item: -item)
    assert [group.submit(1), group.submit(2)] == [-1, -2]


def test_undecided_item_is_retried_and_the_rest_delivered() -> None:
    committer = Committer(lambda items: [UNDECIDED if item == 3 else item for item in items])
    assert committer.results_behind(1, [2, 3, 4]) == [1, 2, -3, 4]
    assert committer.retried == [3]


def test_after_commit_gets_the_results_of_each_batch() -> None:
    committer = Committer(lambda items: [UNDECIDED if item == 3 else item for item in items])
    committer.results_behind(1, [2, 3])
    assert committer.delivered == [[1], [2, UNDECIDED]]


# --- unforeseen ends ----------------------------------------------------------------------------------------------


def test_enough_waiting_items_end_the_wait() -> None:
    committer = Committer(max_wait=LONG)
    committer.results_behind(1, [2, 3, 4, 5])
    committer.group._max_wait = 0.01
    with ThreadPoolExecutor(3) as threads:  # 6 is alone where 4 were expected; 7 and 8 arrive during its commit
        [submitted.result(LONG) for submitted in committer.submit_behind(threads, 6, [7, 8])]
    assert committer.batches[-1] == [7, 8]
    assert committer.waits[-1] < 0.01


def test_missing_result_fails_the_batch_without_a_retry() -> None:
    committer = Committer(lambda items: [*items[:-1]])
    with pytest.raises(GroupCommitError):
        committer.group.submit(1)
    assert (committer.batches, committer.retried) == ([[1]], [])


def test_killed_commit_fails_the_batch_without_a_retry() -> None:
    def exit_after_commit(items: list[int]) -> list[int | Undecided]:
        if 2 in items:
            raise SystemExit
        return [*items]

    committer = Committer(exit_after_commit)
    with ThreadPoolExecutor(3) as threads:
        first, second, third = committer.submit_behind(threads, 1, [2, 3])
        assert first.result(LONG) == 1
        assert isinstance(second.exception(LONG), SystemExit)
        assert isinstance(third.exception(LONG), GroupCommitError)
    assert committer.retried == []


def test_commit_that_reads_nothing_retries_the_leader() -> None:
    group = GroupCommit[int, int](lambda _: [], lambda item: -item)
    assert group.submit(1) == -1
    assert group.waiting == 0


def test_failure_after_the_commit_keeps_the_result() -> None:
    def fail(_: object) -> None:
        raise ValueError("no wake-up")

    group = GroupCommit[int, int](lambda batch: [*batch], lambda item: -item, after_commit=fail)
    assert group.submit(1) == 1
