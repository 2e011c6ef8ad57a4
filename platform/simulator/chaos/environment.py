"""Environment of a run: its own servers, database, processes and sample data."""

import fcntl
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import cast

from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper

from config.connections import database as database_parameters
from config.embedded.ports import free_port
from simulator.bench.environment import child_environment
from simulator.bench.web_process import web_module
from simulator.chaos import ChaosError, customers, sample_data
from simulator.chaos.dialects import parse_answer
from simulator.chaos.sample_data import CUSTOMERS, Customer
from simulator.chaos.send_requests import Endpoint
from simulator.chaos.servers import Servers, running_servers
from simulator.demo import http_client, pictures
from simulator.demo import sample_data as demo_data
from simulator.demo.environment import CELERY, url
from simulator.demo.processes import LOOPBACK_ALLOWED, Processes

# The processes that are killed; the simulator is not among them.
PLATFORM_PROCESSES = ("web", "worker-1", "worker-2", "notifier", "beat")
START_TIMEOUT = 60.0  # seconds
REPORT_GRACE = timedelta(seconds=5)  # shorter than the default, so that messages can expire within a run


@dataclass(frozen=True, slots=True)
class Environment:
    """A running platform with its servers, simulator and customers."""

    folder: Path
    servers: Servers
    processes: Processes
    web_port: int
    simulator_port: int
    customers: Sequence[Customer]

    @property
    def log(self) -> Path:
        """The log of the simulator: the MMSC and the customer server."""
        return self.folder / "simulator.jsonl"

    def start(self, name: str) -> None:
        """Start or restart a process of the platform."""
        self.processes.start(name, *_command(name, self.web_port))

    def close_connections(self) -> None:
        """Close this process's connections to the database, which a fault has broken."""
        connection = _connection()
        connection.close()
        connection.close_pool()

    def control_simulator(self, path: str) -> None:
        """Post to a control path of the simulator. Raises NoResponse or ChaosError."""
        status, answer = http_client.send_request(self.simulator_port, "POST", path)
        if status != 200:
            raise ChaosError(f"the simulator answered {path} with HTTP {status}: {answer[:200]!r}")


@contextmanager
def running_environment(known: Collection[str]) -> Iterator[Environment]:
    """Run everything; the handsets of the numbers `known` are in the handset cache. Raises DemoError."""
    folder = settings.BASE_DIR / "var" / "chaos"
    with (
        _prepared_folder(folder),
        running_servers(folder / "servers") as servers,
        _default_database(servers.database_url),
    ):
        call_command("migrate", verbosity=0, interactive=False)
        pictures.generate_missing(folder / "pictures")
        ports = {"web_port": free_port(), "simulator_port": free_port()}
        sample_data.load(url(ports["simulator_port"]), known)
        with Processes(settings.BASE_DIR, _process_environment(servers, folder), folder) as processes:
            environment = Environment(folder, servers, processes, **ports, customers=CUSTOMERS)
            _start(environment)
            yield replace(environment, customers=[_with_content(environment, customer) for customer in CUSTOMERS])


@contextmanager
def _prepared_folder(folder: Path) -> Iterator[None]:
    """Lock the folder and remove the files of the previous run; the logs of this run are kept until the next."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ChaosError("another chaos run is in progress in this checkout: stop it first") from error
        for log in (*folder.glob("*.log"), *folder.glob("*.jsonl")):
            log.unlink()
        shutil.rmtree(folder / "media", ignore_errors=True)
        yield


@contextmanager
def _default_database(database_url: str) -> Iterator[None]:
    connection = _connection()
    original = dict(connection.settings_dict)
    parsed = database_parameters(database_url)
    _switch_database(connection, {name: parsed[name] for name in ("NAME", "USER", "PASSWORD", "HOST", "PORT")})
    try:
        yield
    finally:
        _switch_database(connection, original)


def _connection() -> DatabaseWrapper:
    return cast(DatabaseWrapper, connections["default"])


def _switch_database(connection: DatabaseWrapper, values: dict[str, object]) -> None:
    connection.close()
    connection.close_pool()  # its connections belong to the previous database
    connection.settings_dict.update(values)


def _process_environment(servers: Servers, folder: Path) -> dict[str, str]:
    return child_environment(
        DATABASE_URL=servers.database_url,
        REDIS_URL=servers.redis_url,
        MEDIA_ROOT=str(folder / "media"),
        SECRET_KEY=settings.SECRET_KEY,
        **LOOPBACK_ALLOWED,
        REPORT_GRACE_SECONDS=str(REPORT_GRACE.seconds),
    )


def _start(environment: Environment) -> None:
    environment.processes.start("simulator", *_simulator_arguments(environment))
    for name in PLATFORM_PROCESSES:
        environment.start(name)
    environment.processes.wait_for(
        "the simulator", lambda: http_client.is_responding(environment.simulator_port, "/log"), START_TIMEOUT
    )
    environment.processes.wait_for(
        "the web process", lambda: http_client.is_responding(environment.web_port, "/ep/v1/"), START_TIMEOUT
    )


def _simulator_arguments(environment: Environment) -> list[str]:
    user, password = demo_data.MMSC_USER
    credentials = ":".join(demo_data.REPORT_USER)
    options = {
        "--port": str(environment.simulator_port),
        "--report-url": f"http://{credentials}@{http_client.HOST}:{environment.web_port}/mm7/{demo_data.CARRIER}",
        "--mm7-user": user,
        "--mm7-password": password,
        "--log": str(environment.log),
        "--pictures": str(environment.folder / "pictures"),
    }
    return ["simulator", *(word for option in options.items() for word in option)]


def _command(name: str, port: int) -> list[str]:
    """Return the arguments of `python -m` for a process of the platform."""
    match name:
        case "web":
            return web_module(port)
        case "beat":
            return [*CELERY, "beat", "--loglevel", "info"]
        case _:
            queue = "postbacks" if name == "notifier" else "flow"
            return [*CELERY, "worker", "-Q", queue, "-c", "1", "-n", f"{name}@%h", "--loglevel", "info"]


def _with_content(environment: Environment, customer: Customer) -> Customer:
    """Store the customer's template, and return the customer with its mms-id."""
    files = (pictures.SMALL_PHOTOGRAPH, pictures.LOGO)
    request = customers.build_save_request(
        Endpoint.SINCH, customer.key, [url(environment.simulator_port, f"/pictures/{name}") for name in files]
    )
    _, body = http_client.send_request(environment.web_port, request.method, request.path, request.body)
    answer = parse_answer(body)
    if not answer.mms_id:
        raise ChaosError(f"saveMMS answered {body!r}")
    return replace(customer, mms_id=answer.mms_id)
