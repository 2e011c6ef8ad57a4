"""The platform's web process, served as docker-compose.yml serves it."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from config.embedded.ports import HOST, free_port
from simulator.bench import BenchError
from simulator.bench.stage import Stage, child_environment
from simulator.demo.http_client import is_responding
from simulator.demo.processes import DemoError, Processes

WORKERS, THREADS = 2, 256


@contextmanager
def serving(stage: Stage) -> Iterator[int]:
    """Its port on loopback, while it serves the stage's database; its log is web.log. Raises BenchError."""
    environment = child_environment(DATABASE_URL=stage.database_url)
    with Processes(settings.BASE_DIR, environment, stage.folder) as processes:
        yield start(processes)


def start(processes: Processes) -> int:
    """Starts it as "web" and waits until it answers; its port on loopback. Raises BenchError."""
    port = free_port()
    processes.start("web", "granian", *options(port))
    try:
        processes.wait_for("the web process", lambda: is_responding(port, "/ep/v1/"))
    except DemoError as error:
        raise BenchError(str(error)) from error
    return port


def options(port: int) -> list[str]:
    """What granian is told."""
    return [
        "--interface=wsgi",
        f"--host={HOST}",
        f"--port={port}",
        f"--workers={WORKERS}",
        f"--blocking-threads={THREADS}",
        "--log-config=platform/config/granian.json",
        "config.wsgi:application",
    ]
