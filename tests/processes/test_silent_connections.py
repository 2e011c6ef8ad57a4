"""Clients that open connections and send no request: the web process accepts others, and closes theirs in time."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from select import POLLHUP, POLLIN, poll
from types import SimpleNamespace

import pytest

from config import web
from config.embedded.ports import HOST
from tests.processes.messages import number, send
from tests.processes.platform_under_test import Platform, eventually

# Nothing, the preface of HTTP/2, a part of the headers, and a whole request whose connection is then idle.
SAID = (
    b"",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: ",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
)
CONNECTIONS = 1100  # the default of granian, for one process, is 1,024


@pytest.fixture
def open_files() -> Iterator[None]:
    """Let this process open enough connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 2 * CONNECTIONS), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed the connection, after any answer."""
    ready = poll()
    ready.register(connection, POLLIN | POLLHUP)
    with suppress(ConnectionError):
        while ready.poll(0):
            if not connection.recv(65536):
                return True
        return False
    return True


def test_silent_connections_block_no_accept_and_are_closed(
    records: SimpleNamespace, network: Platform, open_files: None
) -> None:
    network.web()
    with ExitStack() as connections:
        silent = []
        for index in range(CONNECTIONS):
            silent.append(connections.enter_context(socket.create_connection((HOST, network.web_port), timeout=30)))
            silent[-1].sendall(SAID[index % len(SAID)])
        assert not is_closed(silent[0])
        assert send(network, number())
        eventually(lambda: all(map(is_closed, silent)), timeout=4 * web.HEADERS_WITHIN / 1000)
    assert send(network, number())
