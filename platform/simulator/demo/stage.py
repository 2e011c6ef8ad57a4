"""Setting the stage: database, pictures, world and processes of the demo."""

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
from simulator.demo import pictures, story, web, world
from simulator.demo.processes import DemoError, Processes

CELERY = ("celery", "-A", "config")


@dataclass(frozen=True, slots=True)
class Stage:
    """The running demo: its processes, the ports of platform and simulator."""

    processes: Processes
    web: int
    simulator: int


@contextmanager
def running() -> Iterator[Stage]:
    """Everything made and running, until the context is left. Raises DemoError."""
    folder = settings.BASE_DIR / "var" / "demo"
    with _alone(folder):
        _migrate()
        pictures.make(folder / "pictures")
        web_port, simulator_port = free_port(), free_port()
        account = world.load(url(simulator_port))
        world.forget(story.NUMBERS)
        world.fund(account)
        with Processes(settings.BASE_DIR, _environment(), folder) as processes:
            stage = Stage(processes, web_port, simulator_port)
            try:
                _start(stage, folder)
                _store_template(stage)
                yield stage
            except web.NoAnswer:
                # A process that has ended tells more about it.
                processes.check()
                raise


def url(port: int, path: str = "") -> str:
    return f"http://{web.HOST}:{port}{path}"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two demos on one database would answer each other's messages."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoError("another demo runs in this checkout: end it first") from error
        yield


def _migrate() -> None:
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except OperationalError as error:
        hint = "start the servers by `manage.py servers start`"
        raise DemoError(f"the database does not answer: {hint} ({str(error).strip()})") from error


def _environment() -> dict[str, str]:
    sources = f"{settings.BASE_DIR}:{settings.BASE_DIR / 'platform'}"
    return {"PYTHONPATH": sources, "OUTBOUND_ALLOWED_NETWORKS": "127.0.0.0/8"}


def _start(stage: Stage, folder: Path) -> None:
    """The simulator first, because the world names it; messages wait as rows until the workers are up."""
    processes = stage.processes
    processes.start("simulator", *_simulator(stage, folder))
    processes.start("web", *_web(stage.web))
    for queue in ("flow", "postbacks", "media"):
        processes.start(queue, *CELERY, "worker", "-Q", queue, "-n", f"{queue}@%h", "--loglevel", "info")
    processes.start("beat", *CELERY, "beat", "--loglevel", "info")
    processes.wait_for("the simulator", lambda: web.answers(stage.simulator, "/log"))
    processes.wait_for("the platform's web server", lambda: web.answers(stage.web, "/ep/v1/"))


def _simulator(stage: Stage, folder: Path) -> list[str]:
    report_url = f"http://{':'.join(world.REPORT_USER)}@{web.HOST}:{stage.web}/mm7/{world.CARRIER}"
    user, password = world.MMSC_USER
    options = {
        "--port": str(stage.simulator),
        "--report-url": report_url,
        "--mm7-user": user,
        "--mm7-password": password,
        "--pictures": str(folder / "pictures"),
    }
    return ["simulator", *(word for option in options.items() for word in option)]


def _web(port: int) -> list[str]:
    threads = ("--workers", "2", "--blocking-threads", "64")
    return [
        "granian",
        "--interface",
        "wsgi",
        "--host",
        web.HOST,
        "--port",
        str(port),
        *threads,
        "config.wsgi:application",
    ]


def _store_template(stage: Stage) -> None:
    """Stores the content as a customer does, unless an earlier run did."""
    if Template.objects.filter(pk=world.MMS_ID).exists():
        return
    answer = web.call(stage.web, story.save(url(stage.simulator)))
    if answer.get("mms-id") != str(world.MMS_ID):
        raise DemoError(f"saveMMS was to store mms-id {world.MMS_ID} and answered {answer}")
