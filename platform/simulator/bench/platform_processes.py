"""All processes of the platform, as in docker-compose.yml, with the simulator as MMSC and customer server."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from config.embedded.ports import HOST, free_port
from simulator.bench import BenchError, web_process
from simulator.bench.environment import Environment, child_environment
from simulator.demo import pictures, sample_data
from simulator.demo.http_client import is_responding
from simulator.demo.processes import LOOPBACK_ALLOWED, DemoError, Processes

CELERY = {
    "worker": ("worker", "-Q", "flow"),
    "notifier": ("worker", "-Q", "postbacks"),
    "encoder": ("worker", "-Q", "media", "--concurrency", "1"),
    "beat": ("beat",),
}


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """The processes, and the local ports of the web process and of two simulators, a fast and a slow one."""

    processes: Processes
    web_port: int
    fast_port: int
    slow_port: int


@contextmanager
def running_platform(environment: Environment, slow_delay: float) -> Iterator[RunningPlatform]:
    """Run all processes on the environment's database; the slow simulator's servers respond after `slow_delay` seconds.

    Raises BenchError if a process does not become ready.
    """
    variables = child_environment(
        DATABASE_URL=environment.database_url,
        MEDIA_ROOT=str(settings.MEDIA_ROOT),
        **LOOPBACK_ALLOWED,
    )
    pictures.generate_missing(environment.folder / "pictures")
    with Processes(settings.BASE_DIR, variables, environment.folder) as processes:
        platform = RunningPlatform(processes, free_port(), free_port(), free_port())
        processes.start("web", *web_process.web_module(platform.web_port))
        for name, port, delay in (("fast", platform.fast_port, 0.0), ("slow", platform.slow_port, slow_delay)):
            processes.start(name, "simulator", *_simulator_arguments(environment, port, platform.web_port, delay))
        for name, options in CELERY.items():
            processes.start(name, "celery", "-A", "config", *options, *_node_name(name), "--loglevel", "info")
        try:
            processes.wait_for("the web process", lambda: is_responding(platform.web_port, "/ep/v1/"))
            processes.wait_for("the fast simulator", lambda: is_responding(platform.fast_port, "/numbers"))
            processes.wait_for("the slow simulator", lambda: is_responding(platform.slow_port, "/numbers"))
        except DemoError as error:
            raise BenchError(str(error)) from error
        yield platform


def _node_name(name: str) -> tuple[str, ...]:
    """Return the option for a unique node name; in production each worker has its own host name."""
    return () if name == "beat" else ("-n", f"{name}@%h")


def _simulator_arguments(environment: Environment, port: int, web_port: int, delay: float) -> list[str]:
    user, password = sample_data.MMSC_USER
    options = {
        "--port": str(port),
        "--report-url": f"http://{':'.join(sample_data.REPORT_USER)}@{HOST}:{web_port}/mm7/{sample_data.CARRIER}",
        "--mm7-user": user,
        "--mm7-password": password,
        "--pictures": str(environment.folder / "pictures"),
        "--delay": str(delay),
    }
    return [word for option in options.items() for word in option]
