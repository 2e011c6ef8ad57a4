"""Start a server on a loopback port, despite leftovers of an earlier run or other programs on the port."""

import socket
import time
from typing import Protocol

from config.embedded.home import ServersError

HOST = "127.0.0.1"
# Seconds for which a start is retried: another program may bind the port between our check and the server's start, and
# the children of a killed PostgreSQL hold its shared memory until they notice.
START_TIMEOUT = 10.0
PAUSE = 0.2


class Server(Protocol):
    def answers(self, port: int) -> bool:
        """Return whether the server accepts our password on that port."""

    def start(self, port: int) -> None:
        """Start the server and wait until it answers. Raises ServersError."""


def free_port() -> int:
    """Return a free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def ensure_running(server: Server, port: int) -> int:
    """Start the server unless it answers, and return its port: `port` if possible, or else a free one.

    Raises ServersError with the server's output if it does not start within START_TIMEOUT seconds.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while not server.answers(port):
        candidate = port if _is_free(port) else free_port()
        try:
            server.start(candidate)
        except ServersError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return candidate
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do, ignore lingering connections of an earlier run.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
