"""The platform's web process, as in docker-compose.yml."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from config.embedded.ports import HOST, free_port
from simulator.bench import BenchError
from simulator.bench.environment import Environment, child_environment
from simulator.demo.http_client import is_responding
from simulator.demo.processes import DemoError, Processes


@contextmanager
def running_web(environment: Environment) -> Iterator[int]:
    """Run the web process on the environment's database; yield its local port. Raises BenchError."""
    variables = child_environment(DATABASE_URL=environment.database_url)
    with Processes(settings.BASE_DIR, variables, environment.folder) as processes:
        yield start_web(processes)


def start_web(processes: Processes) -> int:
    """Start the web process, wait until it responds, and return its local port. Raises BenchError."""
    port = free_port()
    processes.start("web", *web_module(port))
    try:
        processes.wait_for("the web process", lambda: is_responding(port, "/ep/v1/"))
    except DemoError as error:
        raise BenchError(str(error)) from error
    return port


def web_module(port: int) -> list[str]:
    """Return the arguments of `python -m` for the web process on this local port."""
    return ["config.web", f"--host={HOST}", f"--port={port}"]
