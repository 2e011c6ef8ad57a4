"""A TCP server that passes each connection to a test's function, for behaviour that HTTP servers do not offer."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Handler = Callable[[socket.socket], None]


@dataclass
class TcpServer:
    """A listening server, and the number of connections that it accepted."""

    port: int
    connections: int = 0
    threads: list[threading.Thread] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def tcp_server(serve: Handler) -> Iterator[TcpServer]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = TcpServer(listener.getsockname()[1])
        acceptor = threading.Thread(target=_accept, args=(listener, server, serve))
        acceptor.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (acceptor, *server.threads):
                thread.join()


def _accept(listener: socket.socket, server: TcpServer, serve: Handler) -> None:
    with suppress(OSError):  # the listener was closed
        while True:
            connection, _ = listener.accept()
            server.connections += 1
            thread = threading.Thread(target=_serve, args=(connection, serve))
            server.threads.append(thread)
            thread.start()


def _serve(connection: socket.socket, serve: Handler) -> None:
    with connection, suppress(OSError):  # the client may disconnect at any time
        serve(connection)


def respond_with(*pieces: bytes) -> Handler:
    """Return a handler that reads the request headers, sends these pieces, and closes the connection."""

    def serve(connection: socket.socket) -> None:
        read_headers(connection)
        for piece in pieces:
            connection.sendall(piece)

    return serve


def read_headers(connection: socket.socket) -> bytes:
    """Return the bytes received up to the end of the headers, or until the client disconnects."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def wait_for_close(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    # With a linger time of zero, close() sends a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
