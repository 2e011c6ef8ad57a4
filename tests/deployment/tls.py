"""A server in front of another one that ends TLS, as PostgreSQL or a Redis-protocol server with a certificate would.

Its certificate is for `localhost`, issued by the authority of the tests.
"""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "samples" / "tls"
AUTHORITY = FOLDER / "authority.pem"


@contextmanager
def tls_server(target: int, *, postgres: bool = False) -> Iterator[int]:
    """Pass connections on to the port `target` of this machine, and yield the port of the TLS server.

    A client of PostgreSQL asks for TLS before it begins it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FOLDER / "server.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_serve, args=(listening, context, target, postgres), daemon=True).start()
        yield int(listening.getsockname()[1])


def _serve(listening: socket.socket, context: ssl.SSLContext, target: int, postgres: bool) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=_pass_on, args=(client, context, target, postgres), daemon=True).start()


def _pass_on(client: socket.socket, context: ssl.SSLContext, target: int, postgres: bool) -> None:
    with suppress(OSError), client:
        if postgres:
            client.recv(8, socket.MSG_WAITALL)
            client.sendall(b"S")
        with (
            context.wrap_socket(client, server_side=True) as secure,
            socket.create_connection(("127.0.0.1", target)) as server,
        ):
            threading.Thread(target=_pump, args=(server, secure), daemon=True).start()
            _pump(secure, server)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
