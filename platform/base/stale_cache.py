"""Stale cache: rows that hardly ever change, kept by each process for a few seconds.

Whoever reads with Freshness.CACHED checks again before committing, and never refuses because of cached data.
"""

from collections.abc import Callable, Hashable
from enum import Enum, auto
from functools import wraps
from threading import Lock
from typing import Any, Final, TypeVar, TypeVarTuple

from cachetools import TTLCache

MAX_AGE: Final = 5.0  # seconds
MAX_ENTRIES: Final = 2_000  # of each function, in each process

Key = TypeVarTuple("Key")
Found = TypeVar("Found")

_caches: list[TTLCache[Hashable, Any]] = []


class Freshness(Enum):
    """How old the data may be that a function returns."""

    CURRENT = auto()  # read from the database now
    CACHED = auto()  # up to MAX_AGE seconds old


def stale_cached(find: Callable[[*Key], Found]) -> Callable[[Freshness, *Key], Found]:
    """Let the caller of `find` choose, by a first argument, whether a cached result will do.

    Results are cached by their arguments; None is not cached. All callers share a result, so none may change it.
    """
    cache: TTLCache[Hashable, Any] = TTLCache(MAX_ENTRIES, MAX_AGE)
    lock = Lock()
    _caches.append(cache)

    @wraps(find)
    def cached(freshness: Freshness, *key: *Key) -> Found:
        if freshness is Freshness.CURRENT:
            return find(*key)
        try:
            with lock:
                found: Found = cache[key]
        except KeyError:
            found = find(*key)
            if found is not None:
                with lock:
                    cache[key] = found
        return found

    return cached


def clear() -> None:
    """Empty the caches of this process."""
    for cache in _caches:
        cache.clear()
