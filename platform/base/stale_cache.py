"""Stale cache: rows that rarely change, cached by each process for a few seconds.

A caller that reads with Freshness.CACHED never refuses because of cached data. An accept checks account, key, block
lists and template again before it commits; a changed sender address, service, price or carrier applies after the few
seconds.
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
    """The age that the result of a function may have."""

    CURRENT = auto()  # read from the database now
    CACHED = auto()  # up to MAX_AGE seconds old


def stale_cached(find: Callable[[*Key], Found]) -> Callable[[Freshness, *Key], Found]:
    """Add a first argument to `find` by which the caller accepts or declines a cached result.

    Results are cached by the other arguments; None is not cached. Callers share a result and must not change it.
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
