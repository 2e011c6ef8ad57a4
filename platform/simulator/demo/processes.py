"""The demo's processes: each in a group of its own, watched while they run, all ended when the demo ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 30.0  # seconds for something to become ready
GRACE = 10.0  # seconds to end in good order
PAUSE = 0.05  # seconds between two looks
LAST_LINES = 15
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


class TimedOut(DemoError):
    """Something did not become ready in time."""


class Processes:
    """Python programs, run as modules. Leaving the context ends them, in the reverse order of their start."""

    def __init__(self, folder: Path, environment: Mapping[str, str], logs: Path) -> None:
        """`folder` is where they run, `environment` what they get beside ours, `logs` where their output goes."""
        self._folder = folder
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def __enter__(self) -> Self:
        # A signal becomes a KeyboardInterrupt wherever we are, so that every way out leads through __exit__.
        for number in SIGNALS:
            signal.signal(number, signal.default_int_handler)
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        processes = list(reversed(self._running.values()))
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in processes:
            _end(process, deadline)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(self, name: str, *arguments: str) -> None:
        """Starts `python -m <arguments>`; the signals of our terminal do not reach it.

        One that is started again goes on in its log.
        """
        with self.log(name).open("ab" if name in self._killed else "wb") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def pids(self, *names: str) -> dict[str, int]:
        """The process ids of these."""
        return {name: self._running[name].pid for name in names}

    def kill(self, name: str) -> None:
        """kill -9, with all its children; no longer watched until it is started again."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._killed.add(name)

    def log(self, name: str) -> Path:
        """The file that holds what this process says."""
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """Raises DemoError with the last words of a process that has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                words = self.log(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
                raise DemoError("\n".join([f"{name} ended with exit status {process.returncode}; it said:", *words]))

    def wait_for(self, what: str, ready: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Until it is ready. Raises TimedOut after `patience` seconds, DemoError if a process ends."""
        deadline = time.monotonic() + patience
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise TimedOut(f"waited {patience:.0f} seconds for {what}; the logs are in {self._logs}")
            time.sleep(PAUSE)


def _end(process: "subprocess.Popen[bytes]", deadline: float) -> None:
    """Waits for its end, and kills what is left of its group: children of a process that died or hangs."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
