"""The platform in real processes on loopback, as in production; a test may kill each of them."""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import redis
from celery import Celery
from django.db import connection

from config.embedded.home import Home
from config.embedded.ports import HOST, ensure_running, free_port
from config.embedded.valkey import Valkey
from tests.processes import forking

ROOT = Path(__file__).parents[2]
TIMEOUT = 60.0  # seconds; a machine with two busy cores starts six interpreters in about ten
POLL_INTERVAL = 0.02  # seconds

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = TIMEOUT) -> T:
    """Return the result of `condition` once it is true. Fails the test after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout:.0f} seconds"
        time.sleep(POLL_INTERVAL)
    return found


class Broker:
    """A Redis-protocol server that tests may flush and stop."""

    def __init__(self, folder: Path) -> None:
        self._valkey = Valkey(Home.of(folder), "of-the-tests")
        self._valkey.home.create()
        self._port = ensure_running(self._valkey, free_port())
        self.url = self._valkey.url(self._port)

    def start(self) -> None:
        assert ensure_running(self._valkey, self._port) == self._port, "another program took its port"

    def stop(self) -> None:
        self._valkey.stop(self._port)

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self._valkey.home.path, ignore_errors=True)

    def flush(self) -> None:
        """Delete everything, including queues, bindings and wake-ups."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@dataclass(frozen=True, slots=True)
class Process:
    """A process and its children, in their own process group."""

    process: BaseProcess
    log: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def is_running(self) -> bool:
        return self.process.is_alive()

    def wait(self, timeout: float = TIMEOUT) -> int | None:
        """Return the exit status, or None if the process does not exit in time."""
        self.process.join(timeout)
        return self.process.exitcode

    def has_logged(self, text: str) -> bool:
        return text in self.log.read_text(errors="replace")

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.pid).children(recursive=True))

    def kill(self) -> None:
        """Kill the whole group with SIGKILL."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.kill()  # a just forked process leads no group yet
        self.process.join()

    def kill_main(self) -> None:
        """Kill the main process with SIGKILL, but not its children."""
        self.process.kill()
        self.process.join()

    def terminate(self) -> None:
        """Send SIGTERM, which requests a clean shutdown."""
        self.process.terminate()


def environment() -> dict[str, str]:
    """Return the environment of the processes: this one, with the test database."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {**os.environ, "DATABASE_URL": database.geturl(), "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}


class Platform:
    """The processes that a test starts; their logs are written to the folder."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.broker = broker
        self.web_port, self.simulator_port = free_port(), free_port()
        self._folder = folder
        # At DEBUG, workers log each task.
        self._environment = {**environment(), "REDIS_URL": broker.url, "LOG_LEVEL": "DEBUG"}
        self._processes: list[Process] = []

    @property
    def simulator_url(self) -> str:
        return f"http://{HOST}:{self.simulator_port}"

    def worker(self, queues: str = "flow", children: int = 1) -> Process:
        """Start a worker of the queues, which needs a second or two until it listens."""
        name = f"{len(self._processes)}@test"
        arguments = ("-A", "config", "worker", "-Q", queues, "-c", str(children), "-n", name, "-l", "info")
        # Mingling would wait a second for replies of other workers.
        return self._start("celery", *arguments, "--without-mingle")

    def beat(self) -> Process:
        return self._start("celery", "-A", "config", "beat", "-l", "info")

    def web(self, workers: int = 1) -> Process:
        """Start the web server and wait until all its processes accept connections."""
        arguments = (f"--host={HOST}", f"--port={self.web_port}", f"--workers={workers}")
        process = self._start("config.web", *arguments)
        eventually(lambda: all(process.has_logged(f"Started worker-{number}") for number in range(1, workers + 1)))
        return process

    def simulator(self) -> Process:
        """Start the simulator, which reports to the web server, and wait until it listens."""
        reports = f"http://mmsc:report-secret@{HOST}:{self.web_port}/mm7/att"
        process = self._start("simulator", "--port", str(self.simulator_port), "--report-url", reports)
        eventually(lambda: _listens(self.simulator_port))
        return process

    def wake(self, task: str = "mms.work", queue: str = "flow") -> None:
        """Send one wake-up; without beat there is no other."""
        with Celery(broker=self.broker.url, set_as_current=False) as app:
            app.send_task(task, queue=queue)

    def simulator_log(self, kind: str) -> list[dict[str, Any]]:
        """Return the entries of a kind from the simulator's log: submit, report or postback."""
        found: list[dict[str, Any]] = json.loads(http(self.simulator_port, "GET", f"/log?kind={kind}"))
        return found

    def release_held_ddms(self) -> int:
        """Make the simulator send the reports of DDMs that it holds back. Return their number."""
        return int(json.loads(http(self.simulator_port, "POST", "/control/release"))["released"])

    def stop(self) -> None:
        """Kill the remaining processes and print the end of every log, which pytest shows if the test failed."""
        for process in self._processes:
            process.kill()
            print(f"--- {process.log}", *process.log.read_text(errors="replace").splitlines()[-40:], sep="\n")  # noqa: T201

    def _start(self, module: str, *arguments: str) -> Process:
        log = self._folder / f"{len(self._processes)}-{module}.log"
        log.touch()  # tests may read it before the process writes to it
        self._processes.append(Process(forking.start(module, list(arguments), self._environment, log), log))
        return self._processes[-1]


class StuckFile:
    """A file on a storage that does not respond: reading it blocks until the block ends.

    After repair(), readers that open it find its former content.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._content = path, path.read_bytes()
        self._writers: list[int] = []

    def __enter__(self) -> Self:
        self._path.unlink()
        os.mkfifo(self._path)
        return self

    def is_read(self) -> bool:
        """Return whether a reader is blocked: our end of the pipe can be opened once the other end is."""
        with suppress(OSError):
            self._writers.append(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(self._writers)

    def repair(self) -> None:
        self._path.unlink()
        self._path.write_bytes(self._content)

    def __exit__(self, *_: object) -> None:
        self.repair()
        for writer in self._writers:
            os.close(writer)


def http(port: int, method: str, path: str, body: bytes | None = None) -> bytes:
    """Return the body of the response. Raises OSError or HTTPException if there is none."""
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "text/xml"} if body else {})
        return connection.getresponse().read()
    finally:
        connection.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
