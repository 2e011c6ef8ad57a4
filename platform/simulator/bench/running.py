"""The whole platform, its processes as docker-compose.yml runs them; the simulator is its MMSC and its customer."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from config.embedded.ports import HOST, free_port
from simulator.bench import BenchError, web
from simulator.bench.stage import Stage, child_environment
from simulator.demo import pictures, sample_data
from simulator.demo.http_client import is_responding
from simulator.demo.processes import DemoError, Processes

CELERY = {
    "worker": ("worker", "-Q", "flow"),
    "notifier": ("worker", "-Q", "postbacks"),
    "encoder": ("worker", "-Q", "media", "--concurrency", "1"),
    "beat": ("beat",),
}


@dataclass(frozen=True, slots=True)
class Running:
    """The ports on loopback of the web process and of the simulators: one prompt, the other one slow."""

    processes: Processes
    web: int
    prompt: int
    slow: int


@contextmanager
def running(stage: Stage, slow: float) -> Iterator[Running]:
    """Everything on the stage's database; the slow simulator's servers take `slow` seconds to answer.

    Raises BenchError if a process does not become ready.
    """
    environment = child_environment(
        DATABASE_URL=stage.database_url,
        MEDIA_ROOT=str(settings.MEDIA_ROOT),
        OUTBOUND_ALLOWED_NETWORKS="127.0.0.0/8",
    )
    pictures.generate_missing(stage.folder / "pictures")
    with Processes(settings.BASE_DIR, environment, stage.folder) as processes:
        place = Running(processes, free_port(), free_port(), free_port())
        processes.start("web", "granian", *web.options(place.web))
        for name, port, pause in (("prompt", place.prompt, 0.0), ("slow", place.slow, slow)):
            processes.start(name, "simulator", *_simulator(stage, port, place.web, pause))
        for name, options in CELERY.items():
            processes.start(name, "celery", "-A", "config", *options, *_named(name), "--loglevel", "info")
        try:
            processes.wait_for("the web process", lambda: is_responding(place.web, "/ep/v1/"))
            processes.wait_for("the prompt simulator", lambda: is_responding(place.prompt, "/numbers"))
            processes.wait_for("the slow simulator", lambda: is_responding(place.slow, "/numbers"))
        except DemoError as error:
            raise BenchError(str(error)) from error
        yield place


def _named(name: str) -> tuple[str, ...]:
    """What tells workers of one machine apart; in production each has a host of its own."""
    return () if name == "beat" else ("-n", f"{name}@%h")


def _simulator(stage: Stage, port: int, platform: int, pause: float) -> list[str]:
    user, password = sample_data.MMSC_USER
    options = {
        "--port": str(port),
        "--report-url": f"http://{':'.join(sample_data.REPORT_USER)}@{HOST}:{platform}/mm7/{sample_data.CARRIER}",
        "--mm7-user": user,
        "--mm7-password": password,
        "--pictures": str(stage.folder / "pictures"),
        "--delay": str(pause),
    }
    return [word for option in options.items() for word in option]
