"""PostgreSQL, the Redis-protocol server, the storage, and the workers."""

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

# NULLS NOT DISTINCT came with this version.
POSTGRES_MIN: Final = 15
# A commit that any of these does not cover may be lost in a power cut.
DURABLE: Final = ("fsync", "full_page_writes", "synchronous_commit")
SKEW_MAX: Final = timedelta(seconds=1)
SWEEP_AGE_MAX: Final = 60  # seconds
SEEN: Final = 20  # of the newest files


def _asked(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def database() -> Iterable[Finding]:
    _asked("SELECT 1")  # a connection is not made for every question
    began = time.monotonic()
    ((version, most),) = _asked("SELECT current_setting('server_version'), current_setting('max_connections')")
    ms = (time.monotonic() - began) * 1000
    if int(str(version).split(".")[0]) < POSTGRES_MIN:
        yield fail(f"PostgreSQL {version}", f"Use version {POSTGRES_MIN} or newer.")
    else:
        yield ok(f"PostgreSQL {version} answers in {ms:.0f} ms; it takes {most} connections")


def durability() -> Iterable[Finding]:
    (states,) = _asked(f"SELECT {', '.join(f'current_setting({name!r})' for name in DURABLE)}")
    off = [name for name, state in zip(DURABLE, states, strict=True) if state == "off"]
    if off:
        yield fail(f"{' and '.join(off)} is off", "Turn it on: an accepted message must outlive a power cut.")
    else:
        yield ok("every commit is on disk before it is acknowledged")


def migrations() -> Iterable[Finding]:
    try:
        readiness.migrations()
        yield ok("all applied")
    except readiness.NotReady as problem:
        yield fail(str(problem).partition(";")[0], "Run: python manage.py migrate")


def clock() -> Iterable[Finding]:
    before = timezone.now()
    ((there,),) = _asked("SELECT clock_timestamp()")
    after = timezone.now()
    # What the answer took on its way is no skew.
    skew = max(before - there, there - after, timedelta())
    if skew > SKEW_MAX:
        text = f"this machine and the database differ by {skew.total_seconds():.1f} s"
        yield warn(text, "Have both set their clocks by NTP: what is due is a matter of time.")
    else:
        yield ok("this machine and the database agree")


def broker() -> Iterable[Finding]:
    with wakeup.connection() as server:
        try:
            version = server.info("server")["redis_version"]
        except wakeup.BROKER_ERRORS as problem:
            text = f"out of reach ({type(problem).__name__}): messages wait for the next sweep that reaches a worker"
            yield fail(text, "Start the Redis-protocol server that REDIS_URL names, or mend REDIS_URL.")
            return
        yield ok(f"Redis protocol {version} answers")
        yield from _broker_settings(server)


def _broker_settings(server: Any) -> Iterator[Finding]:
    try:
        policy = server.config_get("maxmemory-policy").get("maxmemory-policy", "")
        persistent = server.config_get("appendonly").get("appendonly") == "yes" or server.config_get("save").get("save")
    except wakeup.BROKER_ERRORS:
        yield warn("it does not tell its settings", "Check with its host that its maxmemory-policy is noeviction.")
        return
    if policy != "noeviction":
        text = f"its maxmemory-policy is {policy}: it may throw rings and counts away"
        yield warn(text, "Set maxmemory-policy noeviction.")
    if not persistent:
        text = "it keeps nothing over a restart: no message is lost by that, a few calls go uncounted"
        yield warn(text, "Set appendonly yes.")


def storage() -> Iterable[Finding]:
    try:
        readiness.storage()
    except OSError as problem:
        yield fail(f"not writable: {problem.strerror or problem}", "Let the platform's user write to MEDIA_ROOT.")
        return
    newest = [
        str(name)
        for model in (Medium, Rendition)
        for name in model._default_manager.order_by("-pk").values_list("file", flat=True)[:SEEN]
    ]
    missing = [name for name in newest if not default_storage.exists(name)]
    if missing:
        text = f"{len(missing)} of the {len(newest)} newest files are not here, such as {missing[0]}"
        yield fail(text, "Give web and workers on every machine one and the same MEDIA_ROOT.")
    else:
        yield ok(f"writable; the {len(newest)} newest files are here" if newest else "writable")


def workers() -> Iterable[Finding]:
    try:
        told = current_app.control.inspect(timeout=1.0).active_queues() or {}
        answered = wakeup.last_polls()
    except wakeup.BROKER_ERRORS:
        yield warn("nobody can be asked without the broker", "Mend the broker first.")
        return
    now = time.time()
    for queue in wakeup.QUEUES.values():
        serving = sum(queue in {served["name"] for served in queues} for queues in told.values())
        yield _worker(queue, serving, now - answered[queue] if queue in answered else None)


def _worker(queue: str, serving: int, age: float | None) -> Finding:
    if not serving:
        return fail(f"nobody serves the queue {queue}", f"Start: celery -A config worker -Q {queue}")
    who = f"{serving} serve the queue {queue}" if serving > 1 else f"one serves the queue {queue}"
    if age is None:
        return warn(f"{who}; it has not looked for work yet", "Start beat, if this stays: celery -A config beat")
    if age > SWEEP_AGE_MAX:
        remedy = "Start beat: celery -A config beat. If it runs, the workers are busy: start more of them."
        return warn(f"{who}; it last looked for work {age:.0f} s ago", remedy)
    return ok(f"{who}; it last looked for work {age:.0f} s ago")


CHECKS: Final[dict[str, Check]] = {
    "database": database,
    "durability": durability,
    "migrations": migrations,
    "clock": clock,
    "broker": broker,
    "storage": storage,
    "workers": workers,
}
