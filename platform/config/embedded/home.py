"""The private folder in which the servers live, and the account that runs them there."""

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

# Root's servers live here: every account may traverse it, and it outlives a restart of the machine.
LENT_ROOT = Path("/var/tmp")  # noqa: S108 - Home.make refuses a folder that is not ours
# The file by which processes take turns; where nobody is lent anything, it lies in the home itself.
LOCK = "lock"
# What the servers' programs are called; Debian's redis-server is a link to the last one.
PROGRAMS = ("postgres", "valkey-server", "redis-server", "redis-check-rdb")
# Seconds in which servers that nobody knows any more must end, and between looks.
END_TIMEOUT = 10.0
END_PAUSE = 0.05


class ServersError(Exception):
    """The servers cannot be started, stopped or found; the message says why."""


@dataclass(frozen=True, slots=True)
class Home:
    """A folder that only the servers' account (and root) may read.

    PostgreSQL refuses to run as root. So root lends the servers to the existing account `nobody`, in a folder
    outside the checkout: no account is made, no permission of the checkout or above it is widened.
    """

    path: Path
    uid: int | None = None  # None: whoever runs this
    gid: int | None = None

    @classmethod
    def of(cls, folder: Path) -> Self:
        if os.geteuid() != 0:
            return cls(folder)
        nobody = pwd.getpwnam("nobody")
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        return cls(LENT_ROOT / f"mms-platform-{digest}", nobody.pw_uid, nobody.pw_gid)

    def make(self) -> None:
        """Makes the folder. Raises ServersError if someone else made it first: its name can be guessed."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._refuse_a_stranger()
        self.path.chmod(0o700)
        self.give(self.path)

    def clear(self) -> None:
        """Ends the servers and deletes the data of an earlier checkout at this path, whose passwords are lost.

        Raises ServersError if the home is not ours or a server does not end.
        """
        if not self.path.exists():
            return
        self._refuse_a_stranger()
        self._end_servers()
        for left in self.path.iterdir():
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            elif left.name != LOCK:
                left.unlink()

    def _refuse_a_stranger(self) -> None:
        found = self.path.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.geteuid(), self.uid}:
            raise ServersError(f"{self.path} is not a folder of ours: remove it")

    def _end_servers(self) -> None:
        deadline = time.monotonic() + END_TIMEOUT
        while left := list(self._servers()):
            if time.monotonic() > deadline:
                raise ServersError(f"processes {left} of an earlier checkout do not end: end them")
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)  # to both servers: shut down now, in good order
            time.sleep(END_PAUSE)

    def _servers(self) -> Iterator[int]:
        """Process ids of the servers that work in this home: both change into their data's folder."""
        home = self.path.resolve()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile, or is not ours to look at
                program = (process / "exe").readlink().name
                if program.startswith(PROGRAMS) and (process / "cwd").readlink().is_relative_to(home):
                    yield int(process.name)

    def give(self, path: Path | int) -> None:
        """Hands a file, by its path or descriptor, to the servers' account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def run(self, *command: str | Path, text: str | None = None) -> None:
        """Runs a program as the servers' account, with `text` as its input.

        Raises ServersError with the last thing it said if it cannot be started or fails.
        """
        try:
            done = self._run(*command, text=text)
        except (OSError, subprocess.SubprocessError) as error:
            raise ServersError(f"cannot run {command[0]}: {error}") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
            raise ServersError(f"{Path(command[0]).name}: {said}")

    def can_run(self, program: Path) -> bool:
        """Whether the servers' account reaches and may execute a program."""
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
