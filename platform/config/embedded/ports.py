"""Bringing a server up on a loopback port, whatever an earlier run or another program left in the way."""

import socket
import time
from typing import Protocol

from config.embedded.home import ServersError

HOST = "127.0.0.1"
# Seconds for which a start is tried again: a port may be taken between our look and the server's, and the
# children of a killed PostgreSQL keep its shared memory until they notice.
PATIENCE = 10.0
PAUSE = 0.2


class Server(Protocol):
    def answers(self, port: int) -> bool:
        """Whether our server, which knows our password, accepts commands on that port."""

    def start(self, port: int) -> None:
        """Starts it and waits until it answers. Raises ServersError."""


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def bring_up(server: Server, port: int) -> int:
    """The port on which the server answers: `port` if it does so already or if that is free, or else another.

    Raises ServersError with the server's own words if it still does not start after PATIENCE seconds.
    """
    deadline = time.monotonic() + PATIENCE
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
        # As servers do: connections that linger after an earlier run do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
