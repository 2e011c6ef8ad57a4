"""The private folder of the servers, and the account that runs them."""

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# The homes of servers started by root: every account may traverse this folder, and it survives a reboot.
ROOT_HOMES = Path("/var/tmp")  # noqa: S108 - Home.create refuses a folder of another account
# The file that processes lock before they start or stop servers. Unless root started them, it is in the home itself.
LOCK = "lock"
# Names of the servers' programs; Debian's redis-server is a link to the last one.
PROGRAMS = ("postgres", "valkey-server", "redis-server", "redis-check-rdb")
# Seconds within which servers of an earlier checkout must exit, and between two checks.
EXIT_TIMEOUT = 10.0
EXIT_POLL = 0.05


class ServersError(Exception):
    """The servers cannot be started, stopped or found; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that only the servers' account (and root) may read.

    PostgreSQL refuses to run as root. So root runs the servers as the existing account `nobody`, in a folder outside
    the checkout: no account is created, and no permission of the checkout or above it is widened.
    """

    path: Path
    uid: int | None = None  # None: the current account
    gid: int | None = None

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Return the home of the servers of a folder."""
        if os.geteuid() != 0:
            return cls(folder)
        nobody = pwd.getpwnam("nobody")
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        return cls(ROOT_HOMES / f"mms-platform-{digest}", nobody.pw_uid, nobody.pw_gid)

    def create(self) -> None:
        """Create the folder. Raises ServersError if another account has created it: its name is predictable."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._check_owner()
        self.path.chmod(0o700)
        self.chown(self.path)

    def clear(self) -> None:
        """Stop the servers and delete the data of an earlier checkout at this path, whose passwords are lost.

        Raises ServersError if the home belongs to another account or a server does not exit.
        """
        if not self.path.exists():
            return
        self._check_owner()
        self._stop_servers()
        for path in self.path.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def _check_owner(self) -> None:
        found = self.path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), self.uid}:
            raise ServersError(f"{self.path} belongs to another account: remove it")

    def _stop_servers(self) -> None:
        deadline = time.monotonic() + EXIT_TIMEOUT
        while pids := list(self._servers()):
            if time.monotonic() > deadline:
                raise ServersError(f"processes {pids} of an earlier checkout do not exit: kill them")
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)  # requests a clean and fast shutdown from both servers
            time.sleep(EXIT_POLL)

    def _servers(self) -> Iterator[int]:
        """Yield the process ids of servers that run in this home: both change into their data folder."""
        home = self.path.resolve()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has exited, or belongs to another account
                program = (process / "exe").readlink().name
                if program.startswith(PROGRAMS) and (process / "cwd").readlink().is_relative_to(home):
                    yield int(process.name)

    def chown(self, path: Path | int) -> None:
        """Change the owner of a file, given by path or descriptor, to the servers' account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, *command: str | Path, text: str | None = None) -> None:
        """Run a program as the servers' account, with `text` as its input.

        Raises ServersError, with the program's output, if it cannot be started or fails.
        """
        try:
            done = self._run(*command, text=text)
        except (OSError, subprocess.SubprocessError) as error:
            raise ServersError(f"cannot run {command[0]}: {error}") from error
        if done.returncode:
            output = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
            raise ServersError(f"{Path(command[0]).name}: {output}")

    def can_run(self, program: Path) -> bool:
        """Return whether the servers' account can execute the program."""
        try:
            return self._run(program, "--version").returncode == 0
        except (OSError, subprocess.SubprocessError):
            return False

    def _run(self, *command: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            check=False,
            cwd=self.path,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
            input=text or "",
            capture_output=True,
            text=True,
            umask=0o077,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )
