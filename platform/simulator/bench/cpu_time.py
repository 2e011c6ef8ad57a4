"""CPU time of programs and all their children, including exited ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]
import redis
from django.conf import settings
from django.db import connection

from simulator.bench import BenchError


@dataclass(frozen=True, slots=True)
class CpuMeter:
    """Measures programs, given by name and the id of their main process."""

    programs: Mapping[str, int]

    def read(self) -> dict[str, float]:
        """Return the CPU seconds of each program since its start."""
        return {name: _seconds(psutil.Process(pid)) for name, pid in self.programs.items()}


def server_pids() -> dict[str, int]:
    """Return the process ids of PostgreSQL and the Redis-protocol server. Raises BenchError if they are remote."""
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
        raise BenchError("the servers run on another machine, so their CPU time cannot be measured")
    return {name: program.pid for name, program in found.items()}


def _seconds(program: psutil.Process) -> float:
    """Return the CPU time of a program, its children, and exited children, which are counted by their parents."""
    total = 0.0
    for process in (program, *program.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:  # exited since it was listed: its parent will include it in the next reading
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
