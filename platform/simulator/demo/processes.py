"""Child processes of demo, bench and chaos: each in its own process group, monitored, and stopped at the end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from mms.runtime.http_client import Purpose

# The simulator listens on loopback: MMSC, customer server and file server.
LOOPBACK_ALLOWED: Final = {str(purpose): "127.0.0.0/8" for purpose in Purpose}
READY_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 10.0  # seconds until a terminated process is killed
POLL_INTERVAL = 0.05  # seconds
LAST_LINES = 15
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    """The run cannot continue; the message gives the reason."""


class TimedOut(DemoError):
    """A condition was not met in time."""


class Processes:
    """Python programs run as modules. Leaving the context terminates them, in reverse order of their start."""

    def __init__(self, folder: Path, environment: Mapping[str, str], logs: Path) -> None:
        """Set the working directory, the additional environment variables, and the directory of the logs."""
        self._folder = folder
        self._environment = {**os.environ, "PYTHONUNBUFFERED": "1", **environment}
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[str] = set()
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def __enter__(self) -> Self:
        # Every signal raises KeyboardInterrupt, so that __exit__ always runs.
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
        deadline = time.monotonic() + STOP_TIMEOUT
        for process in processes:
            _stop(process, deadline)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def start(self, name: str, *arguments: str) -> None:
        """Start `python -m <arguments>`, detached from the terminal's signals.

        A restarted process appends to its log.
        """
        with self.log_path(name).open("ab" if name in self._killed else "wb") as log:
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
        """Return the process ids by name."""
        return {name: self._running[name].pid for name in names}

    def kill(self, name: str) -> None:
        """Kill a process and its children with SIGKILL, and stop monitoring it until it is started again."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._killed.add(name)

    def log_path(self, name: str) -> Path:
        """Return the path of the process's log."""
        return self._logs / f"{name}.log"

    def check_alive(self) -> None:
        """Raise DemoError, with the last lines of the log, if a process has exited."""
        for name, process in self._running.items():
            if process.poll() is not None:
                lines = self.log_path(name).read_text(errors="replace").splitlines()[-LAST_LINES:]
                raise DemoError("\n".join([f"{name} exited with status {process.returncode}; end of its log:", *lines]))

    def wait_for(self, what: str, is_ready: Callable[[], bool], timeout: float = READY_TIMEOUT) -> None:
        """Wait until `is_ready` returns true.

        Raises TimedOut after `timeout` seconds, and DemoError if a process exits.
        """
        deadline = time.monotonic() + timeout
        while not is_ready():
            self.check_alive()
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"timed out after {timeout:.0f} seconds waiting for {what}; the logs are in {self._logs}"
                )
            time.sleep(POLL_INTERVAL)


def _stop(process: "subprocess.Popen[bytes]", deadline: float) -> None:
    """Wait until the process exits, then kill the rest of its group: children of a process that died or hangs."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(0.0, deadline - time.monotonic()))
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
