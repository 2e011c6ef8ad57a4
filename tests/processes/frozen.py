"""A TCP proxy in front of a server that may vanish without a reset: nothing is forwarded any more."""

import socket
import threading
from contextlib import suppress

from config.embedded.ports import HOST


class Proxy:
    """Forwards connections to the port until it is frozen; frozen, it accepts connections and stays silent."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server((HOST, 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self._flowing = threading.Event()
        self._flowing.set()
        self._sockets: set[socket.socket] = set()
        self._threads = [self._start(self._accept)]
        self._thaws = 0

    def freeze(self) -> None:
        self._flowing.clear()

    def thaw(self) -> None:
        """Forward new connections, and end those of before, as after a failover."""
        self._thaws += 1
        for each in list(self._sockets):
            _shut_down(each)
        self._flowing.set()

    def close(self) -> None:
        _shut_down(self._listener)
        self.thaw()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _start(self, work: object, *arguments: object) -> threading.Thread:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        thread.start()
        return thread

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.add(client)
                self._threads.append(self._start(self._serve, client, self._thaws))

    def _serve(self, client: socket.socket, thaws: int) -> None:
        with client:
            self._flowing.wait()
            if thaws == self._thaws:
                with suppress(OSError), socket.create_connection((HOST, self._target)) as server:
                    self._sockets.add(server)
                    back = self._start(self._forward, server, client)
                    self._forward(client, server)
                    back.join()
                    self._sockets.discard(server)
            self._sockets.discard(client)

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                target.sendall(data)
        for each in (source, target):
            _shut_down(each)


def _shut_down(each: socket.socket) -> None:
    """End the connection; unlike close(), this wakes a thread that waits for it."""
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
