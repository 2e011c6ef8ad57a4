"""Does the encodings that are due, one after the other, each in a child process that may die."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from base import shutdown
from mms.encoding import queue
from mms.encoding.queue import NewVariant
from mms.models import Encoding, Medium
from mms.rendering import renditions
from mms.runtime import time_slice, wakeup

log = structlog.get_logger()

# Seconds that an encoding may take.
TIMEOUT = 120
CHILD = (sys.executable, "-m", "mms.encoding.child")
Clock = Callable[[], datetime]


class Unencodable(Exception):
    """The child made nothing of the medium; the message says why, for a customer."""


@dataclass(frozen=True, slots=True)
class EncodingResult:
    """What the child made: the files of the variants, and how many seconds they play."""

    variants: Sequence[Mapping[str, str | int]]
    seconds: int


def run(clock: Clock = timezone.now, child: Sequence[str] = CHILD, timeout: int = TIMEOUT) -> None:
    """Works until nothing is due, or its shift is over; asked to stop, it ends the encoding that it has.

    `child` is the command of the child process, `timeout` the seconds that it may take.
    """
    end = clock() + time_slice.LENGTH
    while not shutdown.requested() and clock() < end:
        wakeup.record_poll(wakeup.ENCODE)
        encoding = queue.claim(clock())
        if encoding is None:
            return
        with TemporaryDirectory(prefix="mms-encoding-") as folder:
            _encode(encoding, Path(folder), clock, child, timeout)
        wakeup.wake(wakeup.WORK)
        wakeup.wake(wakeup.NOTIFY)
    wakeup.wake(wakeup.ENCODE)  # what is left is for the next


def _encode(encoding: Encoding, folder: Path, clock: Clock, child: Sequence[str], timeout: int) -> None:
    try:
        result = _run_child(encoding.medium, folder, child, timeout)
    except Unencodable as problem:
        log.warning("a medium could not be encoded", sha256=encoding.medium.sha256, problem=str(problem))
        queue.fail(encoding, str(problem), clock())
        return
    variants = [_store_variant(encoding.medium, form) for form in result.variants]
    if not queue.complete(encoding, variants, result.seconds, clock()):
        for form in variants:
            default_storage.delete(form.file)


def _run_child(medium: Medium, folder: Path, child: Sequence[str], timeout: int) -> EncodingResult:
    """What the child makes of the medium. Raises Unencodable."""
    source = folder / "source"
    source.write_bytes(renditions.read_file(medium))
    command = [*child, str(source), medium.kind, str(folder), str(timeout)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        # The child ends itself at its time limit; a little later we end it.
        ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=timeout + 5, check=True)
    except subprocess.TimeoutExpired:
        raise Unencodable(f"it took longer than {timeout} seconds") from None
    except subprocess.CalledProcessError as problem:
        raise Unencodable(_exit_reason(problem.returncode, timeout)) from None
    told = json.loads(ended.stdout)
    if "problem" in told:
        raise Unencodable(told["problem"])
    return EncodingResult(told["variants"], told["seconds"])


def _exit_reason(status: int, timeout: int) -> str:
    if status == -signal.SIGALRM:
        return f"it took longer than {timeout} seconds"
    return f"its codec broke down (signal {-status})" if status < 0 else "its codec broke down"


def _store_variant(medium: Medium, form: Mapping[str, str | int]) -> NewVariant:
    file, recipe = Path(str(form["file"])), str(form["recipe"])
    size = file.stat().st_size
    with file.open("rb") as data:
        name = default_storage.save(f"renditions/{medium.sha256[:2]}/{medium.sha256}/{recipe}", File(data))
    return NewVariant(recipe, str(form["mime_type"]), size, int(form["width"]), int(form["height"]), name)
