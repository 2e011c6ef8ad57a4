"""PostgreSQL and Redis-protocol server of a run, which can be stopped and killed."""

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import redis

from config.embedded.home import Home
from config.embedded.ports import Server, ensure_running, free_port
from config.embedded.postgres import Postgres
from config.embedded.valkey import Valkey
from simulator.chaos import ChaosError


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers and their ports."""

    postgres: Postgres
    valkey: Valkey
    postgres_port: int
    valkey_port: int

    @classmethod
    def start(cls, folder: Path) -> Self:
        """Start new, empty servers."""
        home, password = Home.of(folder), secrets.token_hex(24)
        shutil.rmtree(home.path, ignore_errors=True)
        home.create()
        postgres, valkey = Postgres(home, password), Valkey(home, password)
        return cls(postgres, valkey, ensure_running(postgres, free_port()), ensure_running(valkey, free_port()))

    @property
    def database_url(self) -> str:
        return self.postgres.url(self.postgres_port)

    @property
    def redis_url(self) -> str:
        return self.valkey.url(self.valkey_port)

    def stop_postgres(self) -> None:
        """Shut down in fast mode: roll back all transactions and close all connections."""
        self.postgres.stop(self.postgres_port)

    def kill_postgres(self) -> None:
        """Send SIGKILL to the postmaster; its children exit when they notice."""
        os.kill(self.postgres.pid(), signal.SIGKILL)

    def start_postgres(self) -> None:
        _restart(self.postgres, self.postgres_port)

    def flush_redis(self) -> None:
        """Delete all queues, bindings and wake-ups (FLUSHALL)."""
        with redis.Redis.from_url(self.redis_url) as client:
            client.flushall()

    def stop_redis(self) -> None:
        self.valkey.stop(self.valkey_port)

    def start_redis(self) -> None:
        _restart(self.valkey, self.valkey_port)

    def destroy(self) -> None:
        self.stop_postgres()
        self.stop_redis()
        shutil.rmtree(self.postgres.home.path, ignore_errors=True)


def _restart(server: Server, port: int) -> None:
    """Restart a server on its port, which its clients use. Raises ChaosError if the port is in use."""
    if ensure_running(server, port) != port:
        raise ChaosError(f"port {port} was taken by another program while its server was down")


@contextmanager
def running_servers(folder: Path) -> Iterator[Servers]:
    """Run the servers, and destroy them with their data at the end."""
    servers = Servers.start(folder)
    try:
        yield servers
    finally:
        servers.destroy()
