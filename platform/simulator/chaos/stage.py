"""Setting the stage: servers, database, processes and world of a run, all its own."""

import fcntl
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import dj_database_url
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from config.embedded.ports import free_port
from simulator.bench.environment import child_environment
from simulator.bench.web_process import granian_options
from simulator.chaos import ChaosError, customers, world
from simulator.chaos.orders import Door
from simulator.chaos.requests import read
from simulator.chaos.servers import Servers, started
from simulator.chaos.world import CUSTOMERS, Customer
from simulator.demo import http_client, pictures
from simulator.demo import sample_data as demo
from simulator.demo.environment import CELERY, url
from simulator.demo.processes import Processes

# Those that are killed; the simulator is not.
PLATFORM = ("web", "worker-1", "worker-2", "notifier", "beat")
PATIENCE = 60.0  # seconds until everything has started


@dataclass(frozen=True, slots=True)
class Stage:
    """A running platform with all that it stands on."""

    folder: Path
    servers: Servers
    processes: Processes
    web: int
    simulator: int
    customers: Sequence[Customer]

    @property
    def log(self) -> Path:
        """All that the simulated network and the customers' server saw."""
        return self.folder / "simulator.jsonl"

    def start(self, name: str) -> None:
        """Starts, or starts again, a process of the platform's."""
        self.processes.start(name, *_command(name, self.web))

    def reconnect(self) -> None:
        """Forgets this process's own connections to the database: a fault has broken them."""
        connection = _connection()
        connection.close()
        connection.close_pool()

    def tell(self, path: str) -> None:
        """Tells the simulator something. Raises NoAnswer."""
        status, answer = http_client.send_request(self.simulator, "POST", path)
        if status != 200:
            raise ChaosError(f"the simulator answered {path} with HTTP {status}: {answer[:200]!r}")


@contextmanager
def running(known: Collection[str]) -> Iterator[Stage]:
    """Everything made and running; the handsets of the numbers `known` are known. Raises DemoError."""
    folder = settings.BASE_DIR / "var" / "chaos"
    with _alone(folder), started(folder / "servers") as servers, _default_database(servers.database_url):
        call_command("migrate", verbosity=0, interactive=False)
        pictures.generate_missing(folder / "pictures")
        ports = {"web": free_port(), "simulator": free_port()}
        world.load(url(ports["simulator"]), known)
        with Processes(settings.BASE_DIR, _environment(servers, folder), folder) as processes:
            stage = Stage(folder, servers, processes, **ports, customers=CUSTOMERS)
            _start(stage)
            yield replace(stage, customers=[_with_content(stage, customer) for customer in CUSTOMERS])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A new folder for the run, whose logs stay until the next."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ChaosError("another run goes on in this checkout: end it first") from error
        for log in (*folder.glob("*.log"), *folder.glob("*.jsonl")):
            log.unlink()
        shutil.rmtree(folder / "media", ignore_errors=True)
        yield


@contextmanager
def _default_database(database_url: str) -> Iterator[None]:
    connection = _connection()
    former = dict(connection.settings_dict)
    parsed = dj_database_url.parse(database_url)
    _point(connection, {name: parsed[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")})
    try:
        yield
    finally:
        _point(connection, former)


def _connection() -> DatabaseWrapper:
    return cast(DatabaseWrapper, connections["default"])


def _point(connection: DatabaseWrapper, where: dict[str, object]) -> None:
    connection.close()
    connection.close_pool()  # its connections are to the database of before
    connection.settings_dict.update(where)


def _environment(servers: Servers, folder: Path) -> dict[str, str]:
    return child_environment(
        DATABASE_URL=servers.database_url,
        REDIS_URL=servers.redis_url,
        MEDIA_ROOT=str(folder / "media"),
        SECRET_KEY=settings.SECRET_KEY,
        OUTBOUND_ALLOWED_NETWORKS="127.0.0.0/8",
    )


def _start(stage: Stage) -> None:
    stage.processes.start("simulator", *_simulator(stage))
    for name in PLATFORM:
        stage.start(name)
    stage.processes.wait_for("the simulator", lambda: http_client.is_responding(stage.simulator, "/log"), PATIENCE)
    stage.processes.wait_for("the web process", lambda: http_client.is_responding(stage.web, "/ep/v1/"), PATIENCE)


def _simulator(stage: Stage) -> list[str]:
    user, password = demo.MMSC_USER
    named = {
        "--port": str(stage.simulator),
        "--report-url": f"http://{':'.join(demo.REPORT_USER)}@{http_client.HOST}:{stage.web}/mm7/{demo.CARRIER}",
        "--mm7-user": user,
        "--mm7-password": password,
        "--log": str(stage.log),
        "--pictures": str(stage.folder / "pictures"),
    }
    return ["simulator", *(word for option in named.items() for word in option)]


def _command(name: str, port: int) -> list[str]:
    """The words after `python -m` for a process of the platform's."""
    match name:
        case "web":
            return ["granian", *granian_options(port)]
        case "beat":
            return [*CELERY, "beat", "--loglevel", "info"]
        case _:
            queue = "postbacks" if name == "notifier" else "flow"
            return [*CELERY, "worker", "-Q", queue, "-c", "1", "-n", f"{name}@%h", "--loglevel", "info"]


def _with_content(stage: Stage, customer: Customer) -> Customer:
    """The customer once it has stored its content."""
    files = (pictures.SMALL_PHOTOGRAPH, pictures.LOGO)
    written = customers.save(Door.SINCH, customer.key, [url(stage.simulator, f"/pictures/{name}") for name in files])
    _, body = http_client.send_request(stage.web, written.method, written.path, written.body)
    answer = read(body)
    if not answer.mms_id:
        raise ChaosError(f"saveMMS answered {body!r}")
    return replace(customer, mms_id=answer.mms_id)
