"""The platform as it runs in production, in real processes on loopback, each of which a test may kill."""

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
from tests.processes import preloaded

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds; a machine with two busy cores starts six interpreters in about ten
LOOK_EVERY = 0.02  # seconds

T = TypeVar("T")


def eventually(look: Callable[[], T], patience: float = PATIENCE) -> T:
    """What `look` returns once that is true. A test that waits longer than `patience` seconds fails."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} seconds in vain"
        time.sleep(LOOK_EVERY)
    return found


class Broker:
    """A Redis-protocol server of the tests' own, to be flushed and stopped."""

    def __init__(self, folder: Path) -> None:
        self._valkey = Valkey(Home.of(folder), "of-the-tests")
        self._valkey.home.create()
        self._port = ensure_running(self._valkey, free_port())
        self.url = self._valkey.url(self._port)

    def start(self) -> None:
        assert ensure_running(self._valkey, self._port) == self._port, "its port was taken meanwhile"

    def stop(self) -> None:
        self._valkey.stop(self._port)

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self._valkey.home.path, ignore_errors=True)

    def flush(self) -> None:
        """FLUSHALL: queues, bindings and rings are gone."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@dataclass(frozen=True, slots=True)
class Process:
    """A process with its children, in a group of their own."""

    process: BaseProcess
    log: Path

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def runs(self) -> bool:
        return self.process.is_alive()

    def ends(self, patience: float = PATIENCE) -> int | None:
        """Its exit status, once it has ended; none if it does not end in time."""
        self.process.join(patience)
        return self.process.exitcode

    def says(self, words: str) -> bool:
        return words in self.log.read_text(errors="replace")

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.pid).children(recursive=True))

    def kill(self) -> None:
        """kill -9, the whole group at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.kill()  # just forked, it leads no group yet
        self.process.join()

    def kill_main(self) -> None:
        """kill -9, and the children are left alone."""
        self.process.kill()
        self.process.join()

    def terminate(self) -> None:
        """SIGTERM: it is asked to end in good order."""
        self.process.terminate()


def environment() -> dict[str, str]:
    """What our processes get: ours, with the database of the tests."""
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    return {**os.environ, "DATABASE_URL": database.geturl(), "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}


class Platform:
    """Starts the processes that a test asks for; their logs go to the folder."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.broker = broker
        self.web_port, self.simulator_port = free_port(), free_port()
        self._folder = folder
        # At DEBUG, workers tell of each task.
        self._environment = {**environment(), "REDIS_URL": broker.url, "LOG_LEVEL": "DEBUG"}
        self._processes: list[Process] = []

    @property
    def simulator_url(self) -> str:
        return f"http://{HOST}:{self.simulator_port}"

    def worker(self, queues: str = "flow", children: int = 1) -> Process:
        """A worker of the queues; it takes a second or two until it listens."""
        name = f"{len(self._processes)}@test"
        arguments = ("-A", "config", "worker", "-Q", queues, "-c", str(children), "-n", name, "-l", "info")
        # Mingling waits a second for the greetings of other workers.
        return self._start("celery", *arguments, "--without-mingle")

    def beat(self) -> Process:
        return self._start("celery", "-A", "config", "beat", "-l", "info")

    def web(self, workers: int = 1) -> Process:
        """The web server, once so many processes of it take connections."""
        serving = ("--interface", "wsgi", "--host", HOST, "--port", str(self.web_port))
        sized = ("--workers", str(workers), "--blocking-threads", "256")
        process = self._start("granian", *serving, *sized, "config.wsgi:application")
        eventually(lambda: all(process.says(f"Started worker-{number}") for number in range(1, workers + 1)))
        return process

    def simulator(self) -> Process:
        """The simulated network, once it listens; its reports go to the web server."""
        reports = f"http://mmsc:report-secret@{HOST}:{self.web_port}/mm7/att"
        process = self._start("simulator", "--port", str(self.simulator_port), "--report-url", reports)
        eventually(lambda: _listens(self.simulator_port))
        return process

    def wake(self, task: str = "mms.work", queue: str = "flow") -> None:
        """One ring of the doorbell; a test without beat has no other."""
        with Celery(broker=self.broker.url) as app:
            app.send_task(task, queue=queue)

    def seen(self, kind: str) -> list[dict[str, Any]]:
        """What the simulator's log has of a kind: submit, report or postback."""
        found: list[dict[str, Any]] = json.loads(http(self.simulator_port, "GET", f"/log?kind={kind}"))
        return found

    def release(self) -> int:
        """Lets the simulator report the DDMs that it holds back; how many they were."""
        return int(json.loads(http(self.simulator_port, "POST", "/control/release"))["released"])

    def end(self) -> None:
        """Kills what still runs, and shows the end of every log (pytest prints that if the test failed)."""
        for process in self._processes:
            process.kill()
            print(f"--- {process.log}", *process.log.read_text(errors="replace").splitlines()[-40:], sep="\n")  # noqa: T201

    def _start(self, module: str, *arguments: str) -> Process:
        log = self._folder / f"{len(self._processes)}-{module}.log"
        log.touch()  # it is read from now on, and written to once the process is there
        self._processes.append(Process(preloaded.start(module, list(arguments), self._environment, log), log))
        return self._processes[-1]


class StuckFile:
    """A file on a storage that does not answer, as it were: who opens it waits for bytes until the context ends.

    Once it is mended, those who open it from then on find it as it was.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._content = path, path.read_bytes()
        self._writers: list[int] = []

    def __enter__(self) -> Self:
        self._path.unlink()
        os.mkfifo(self._path)
        return self

    def is_read(self) -> bool:
        """Whether somebody waits for its bytes: our end of the pipe can be opened once the other is."""
        with suppress(OSError):
            self._writers.append(os.open(self._path, os.O_WRONLY | os.O_NONBLOCK))
        return bool(self._writers)

    def mend(self) -> None:
        self._path.unlink()
        self._path.write_bytes(self._content)

    def __exit__(self, *_: object) -> None:
        self.mend()
        for writer in self._writers:
            os.close(writer)


def http(port: int, method: str, path: str, body: bytes | None = None) -> bytes:
    """The body of the answer. Raises OSError or HTTPException without one."""
    connection = HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "text/xml"} if body else {})
        return connection.getresponse().read()
    finally:
        connection.close()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
