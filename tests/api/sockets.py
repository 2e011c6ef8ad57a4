"""A TCP server whose connections a function of the test serves: for what no proper HTTP server does."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Serve = Callable[[socket.socket], None]


@dataclass
class Listening:
    """Where the server listens, and how many connections came."""

    port: int
    connections: int = 0
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def listening(serve: Serve) -> Iterator[Listening]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Listening(listener.getsockname()[1])
        acceptor = threading.Thread(target=_accept, args=(listener, server, serve))
        acceptor.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (acceptor, *server.threads):
                thread.join()


def _accept(listener: socket.socket, server: Listening, serve: Serve) -> None:
    with suppress(OSError):  # the listener's end
        while True:
            connection, _ = listener.accept()
            server.connections += 1
            thread = threading.Thread(target=_serve, args=(connection, serve))
            server.threads.append(thread)
            thread.start()


def _serve(connection: socket.socket, serve: Serve) -> None:
    with connection, suppress(OSError):  # the client may leave at any moment
        serve(connection)


def saying(*pieces: bytes) -> Serve:
    """Reads one request's headers, says these pieces, and closes."""

    def serve(connection: socket.socket) -> None:
        read_headers(connection)
        for piece in pieces:
            connection.sendall(piece)

    return serve


def read_headers(connection: socket.socket) -> bytes:
    """What came up to the end of a request's headers, or until the client left."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def wait_for_the_client_to_leave(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    # Lingering for zero seconds makes close() a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
