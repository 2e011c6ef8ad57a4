"""What hardly ever changes, remembered by each process for a few seconds.

Nothing is read from memory unless the caller says that he can do with it: in a block of `recalling`. Whoever does so
looks at the truth before he commits, and refuses nothing because of what was remembered.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any, Final, TypeVar, cast

from cachetools import TTLCache

# How old what is remembered may be, in seconds, and how much of each kind a process remembers.
OLDEST: Final = 5.0
MOST: Final = 2_000

Find = TypeVar("Find", bound=Callable[..., Any])

_recalling: ContextVar[bool] = ContextVar("recalling", default=False)
_memories: list[TTLCache[Hashable, Any]] = []


@contextmanager
def recalling() -> Iterator[None]:
    """In this block, what is remembered counts for what is."""
    before = _recalling.set(True)
    try:
        yield
    finally:
        _recalling.reset(before)


def in_use() -> bool:
    """Whether the caller can do with what is remembered."""
    return _recalling.get()


def remembered(find: Find) -> Find:
    """Remembers what the function finds, by its arguments; where it finds nothing, the next call looks again.

    All callers share what it returns, so nobody changes that.
    """
    memory: TTLCache[Hashable, Any] = TTLCache(MOST, OLDEST)
    lock = Lock()
    _memories.append(memory)

    @wraps(find)
    def recall(*key: Hashable) -> Any:
        if not in_use():
            return find(*key)
        try:
            with lock:
                return memory[key]
        except KeyError:
            found = find(*key)
        if found is not None:
            with lock:
                memory[key] = found
        return found

    return cast(Find, recall)


def forget() -> None:
    """Forgets everything."""
    for memory in _memories:
        memory.clear()
