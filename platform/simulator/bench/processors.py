"""Processor time of programs and all their children, the ended ones included."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]
import redis
from django.conf import settings
from django.db import connection

from simulator.bench import BenchError


@dataclass(frozen=True, slots=True)
class Meter:
    """Programs by their names: each the process that started all of its others."""

    programs: Mapping[str, int]

    def read(self) -> dict[str, float]:
        """Seconds of processor that each has taken since it began."""
        return {name: _seconds(psutil.Process(pid)) for name, pid in self.programs.items()}


def servers() -> dict[str, int]:
    """The process ids of PostgreSQL and of the Redis-protocol server. Raises BenchError if they run elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    broker = redis.Redis.from_url(settings.REDIS_URL).info("server")["process_id"]
    try:
        found = {"PostgreSQL": psutil.Process(backend).parent(), "Valkey": psutil.Process(broker)}
        names = [program.name() for program in found.values()]
    except (psutil.NoSuchProcess, AttributeError):
        names = []
    if len(names) < 2 or "postgres" not in names[0] or not names[1].startswith(("valkey", "redis")):
        raise BenchError("the servers run on another machine, where their processor time cannot be read")
    return {name: program.pid for name, program in found.items()}


def _seconds(program: psutil.Process) -> float:
    """Its own, those of its children that run, and those of the ended ones, which their parents count."""
    total = 0.0
    for process in (program, *program.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # ended since it was listed: its parent is read next time
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
