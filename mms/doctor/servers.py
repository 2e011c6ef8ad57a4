"""Checks of PostgreSQL, the Redis-protocol server, the file storage and the workers."""

import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any, Final

from celery import current_app
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from mms.doctor.finding import Check, Finding, fail, ok, warn
from mms.models import Medium, Rendition
from mms.observation import readiness
from mms.runtime import wakeup

# The first version with NULLS NOT DISTINCT.
POSTGRES_MIN: Final = 15
# Settings without which a power failure may lose commits.
DURABILITY_SETTINGS: Final = ("fsync", "full_page_writes", "synchronous_commit")
MAX_SKEW: Final = timedelta(seconds=1)
MAX_POLL_AGE: Final = 60  # seconds
FILES_CHECKED: Final = 20  # newest files of each kind


def _query(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def database() -> Iterable[Finding]:
    """Check the version of PostgreSQL, and measure a query."""
    _query("SELECT 1")  # opens the connection, which is not part of the measurement
    started = time.monotonic()
    ((version, connections),) = _query("SELECT current_setting('server_version'), current_setting('max_connections')")
    ms = (time.monotonic() - started) * 1000
    if int(str(version).split(".")[0]) < POSTGRES_MIN:
        yield fail(f"PostgreSQL {version}", f"Use version {POSTGRES_MIN} or newer.")
    else:
        yield ok(f"PostgreSQL {version} answers in {ms:.0f} ms; max_connections is {connections}")


def durability() -> Iterable[Finding]:
    """Check that commits survive a power failure."""
    (states,) = _query(f"SELECT {', '.join(f'current_setting({name!r})' for name in DURABILITY_SETTINGS)}")
    off = [name for name, state in zip(DURABILITY_SETTINGS, states, strict=True) if state == "off"]
    if off:
        yield fail(f"{' and '.join(off)} is off", "Turn it on: an accepted message must survive a power failure.")
    else:
        yield ok("every commit is on disk before it is acknowledged")


def migrations() -> Iterable[Finding]:
    """Check that every migration is applied."""
    try:
        readiness.migrations()
        yield ok("all applied")
    except readiness.NotReady as problem:
        yield fail(str(problem).partition(";")[0], "Run: python manage.py migrate")


def clock() -> Iterable[Finding]:
    """Compare the clocks of this machine and the database."""
    before = timezone.now()
    ((there,),) = _query("SELECT clock_timestamp()")
    after = timezone.now()
    # The time of the query itself does not count as skew.
    skew = max(before - there, there - after, timedelta())
    if skew > MAX_SKEW:
        text = f"this machine and the database differ by {skew.total_seconds():.1f} s"
        yield warn(text, "Synchronize both clocks by NTP: due times depend on them.")
    else:
        yield ok("this machine and the database agree on the time")


def broker() -> Iterable[Finding]:
    """Check that the broker answers, and its settings."""
    with wakeup.connection() as server:
        try:
            version = server.info("server")["redis_version"]
        except wakeup.BROKER_ERRORS as problem:
            text = f"out of reach ({type(problem).__name__}): messages wait until it is back"
            yield fail(text, "Start the Redis-protocol server of REDIS_URL, or correct REDIS_URL.")
            return
        yield ok(f"Redis protocol {version} answers")
        yield from _broker_settings(server)


def _broker_settings(server: Any) -> Iterator[Finding]:
    try:
        policy = server.config_get("maxmemory-policy").get("maxmemory-policy", "")
        persistent = server.config_get("appendonly").get("appendonly") == "yes" or server.config_get("save").get("save")
    except wakeup.BROKER_ERRORS:
        yield warn("its settings cannot be read", "Ask its provider whether maxmemory-policy is noeviction.")
        return
    if policy != "noeviction":
        text = f"its maxmemory-policy is {policy}: it may evict wake-ups and counters"
        yield warn(text, "Set maxmemory-policy noeviction.")
    if not persistent:
        text = "it loses its data on a restart: no message is lost, but rate limits start afresh"
        yield warn(text, "Set appendonly yes.")


def storage() -> Iterable[Finding]:
    """Check that files can be written, and that files of other machines are present."""
    try:
        readiness.storage()
    except OSError as problem:
        yield fail(
            f"not writable: {problem.strerror or problem}", "Give the platform's user write permission for MEDIA_ROOT."
        )
        return
    newest = [
        str(name)
        for model in (Medium, Rendition)
        for name in model._default_manager.order_by("-pk").values_list("file", flat=True)[:FILES_CHECKED]
    ]
    missing = [name for name in newest if not default_storage.exists(name)]
    if missing:
        text = f"{len(missing)} of the {len(newest)} newest files are missing, such as {missing[0]}"
        yield fail(text, "Share one MEDIA_ROOT between web and workers of all machines.")
    else:
        yield ok(f"writable; the {len(newest)} newest files are present" if newest else "writable")


def workers() -> Iterable[Finding]:
    """Check that every queue is served and polled."""
    try:
        active = current_app.control.inspect(timeout=1.0).active_queues() or {}
        polled = wakeup.last_polls()
    except wakeup.BROKER_ERRORS:
        yield warn("unknown without the broker", "Repair the broker first.")
        return
    now = time.time()
    for queue in wakeup.QUEUES.values():
        serving = sum(queue in {served["name"] for served in queues} for queues in active.values())
        yield _worker(queue, serving, now - polled[queue] if queue in polled else None)


def _worker(queue: str, serving: int, age: float | None) -> Finding:
    if not serving:
        return fail(f"no worker serves the queue {queue}", f"Start: celery -A config worker -Q {queue}")
    who = f"{serving} workers serve the queue {queue}" if serving > 1 else f"one worker serves the queue {queue}"
    if age is None:
        return warn(f"{who}; it has not been polled yet", "If this persists, start beat: celery -A config beat")
    if age > MAX_POLL_AGE:
        remedy = "Start beat: celery -A config beat. If beat runs, the workers are busy: start more of them."
        return warn(f"{who}; it was last polled {age:.0f} s ago", remedy)
    return ok(f"{who}; it was last polled {age:.0f} s ago")


CHECKS: Final[dict[str, Check]] = {
    "database": database,
    "durability": durability,
    "migrations": migrations,
    "clock": clock,
    "broker": broker,
    "storage": storage,
    "workers": workers,
}
