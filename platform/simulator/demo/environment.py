"""Environment of the demo: database, pictures, sample data and processes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError

from config.embedded.ports import free_port
from mms.models import Template
from simulator.demo import http_client, pictures, sample_data, scenarios
from simulator.demo.processes import LOOPBACK_ALLOWED, DemoError, Processes

CELERY = ("celery", "-A", "config")


@dataclass(frozen=True, slots=True)
class Environment:
    """The running demo: its processes, and the ports of platform and simulator."""

    processes: Processes
    web_port: int
    simulator_port: int


@contextmanager
def running_environment() -> Iterator[Environment]:
    """Prepare the data and run all processes until the context is left. Raises DemoError."""
    folder = settings.BASE_DIR / "var" / "demo"
    with _exclusive_lock(folder):
        _migrate()
        pictures.generate_missing(folder / "pictures")
        web_port, simulator_port = free_port(), free_port()
        account = sample_data.load(url(simulator_port))
        sample_data.reset(scenarios.NUMBERS)
        sample_data.fund(account)
        with Processes(settings.BASE_DIR, _process_environment(), folder) as processes:
            environment = Environment(processes, web_port, simulator_port)
            try:
                _start(environment, folder)
                _store_template(environment)
                yield environment
            except http_client.NoResponse:
                # If a process has exited, its log explains the missing response.
                processes.check_alive()
                raise


def url(port: int, path: str = "") -> str:
    """Return the URL of a path on a local port."""
    return f"http://{http_client.HOST}:{port}{path}"


@contextmanager
def _exclusive_lock(folder: Path) -> Iterator[None]:
    """Prevent a second demo on the same database: the two would process each other's messages."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoError("another demo is running in this checkout: stop it first") from error
        yield


def _migrate() -> None:
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except OperationalError as error:
        hint = "start the servers with `manage.py servers start`"
        raise DemoError(f"the database is not available: {hint} ({str(error).strip()})") from error


def _process_environment() -> dict[str, str]:
    sources = f"{settings.BASE_DIR}:{settings.BASE_DIR / 'platform'}"
    return {"PYTHONPATH": sources, **LOOPBACK_ALLOWED}


def _start(environment: Environment, folder: Path) -> None:
    """Start the processes and wait for the simulator and the web server.

    There is no need to wait for the workers: messages are rows in the database until they are up.
    """
    processes = environment.processes
    processes.start("simulator", *_simulator_arguments(environment, folder))
    processes.start("web", "config.web", f"--host={http_client.HOST}", f"--port={environment.web_port}")
    for queue in ("flow", "postbacks", "media"):
        processes.start(queue, *CELERY, "worker", "-Q", queue, "-n", f"{queue}@%h", "--loglevel", "info")
    processes.start("beat", *CELERY, "beat", "--loglevel", "info")
    processes.wait_for("the simulator", lambda: http_client.is_responding(environment.simulator_port, "/log"))
    processes.wait_for("the platform's web server", lambda: http_client.is_responding(environment.web_port, "/ep/v1/"))


def _simulator_arguments(environment: Environment, folder: Path) -> list[str]:
    credentials = ":".join(sample_data.REPORT_USER)
    report_url = f"http://{credentials}@{http_client.HOST}:{environment.web_port}/mm7/{sample_data.CARRIER}"
    user, password = sample_data.MMSC_USER
    options = {
        "--port": str(environment.simulator_port),
        "--report-url": report_url,
        "--mm7-user": user,
        "--mm7-password": password,
        "--pictures": str(folder / "pictures"),
    }
    return ["simulator", *(word for option in options.items() for word in option)]


def _store_template(environment: Environment) -> None:
    """Store the template through the API, unless an earlier run has done so."""
    if Template.objects.filter(pk=sample_data.MMS_ID).exists():
        return
    answer = http_client.call_api(environment.web_port, scenarios.save_request(url(environment.simulator_port)))
    if answer.get("mms-id") != str(sample_data.MMS_ID):
        raise DemoError(f"saveMMS did not store mms-id {sample_data.MMS_ID}: {answer}")
