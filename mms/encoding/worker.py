"""The encoding worker: encodes due audio and video one at a time, each in a child process that may crash."""

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

# The time limit of an encoding, in seconds.
TIMEOUT = 120
CHILD = (sys.executable, "-m", "mms.encoding.child")
Clock = Callable[[], datetime]


class Unencodable(Exception):
    """The medium could not be encoded; the message gives the customer the reason."""


@dataclass(frozen=True, slots=True)
class EncodingResult:
    """The result of the child: the files of the variants, and their duration in seconds."""

    variants: Sequence[Mapping[str, str | int]]
    seconds: int


def run(clock: Clock = timezone.now, child: Sequence[str] = CHILD, timeout: int = TIMEOUT) -> None:
    """Encode until nothing is due or the time slice ends. On shutdown, finish the encoding in progress.

    `child` is the command of the child process, `timeout` its time limit in seconds.
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
    wakeup.wake(wakeup.ENCODE)  # a successor continues


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
    """Run the child on the medium and return its result. Raises Unencodable."""
    source = folder / "source"
    source.write_bytes(renditions.read_file(medium))
    command = [*child, str(source), medium.kind, str(folder), str(timeout)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        # The child ends itself at its time limit; a few seconds later it is killed.
        completed = subprocess.run(command, env=environment, stdout=subprocess.PIPE, timeout=timeout + 5, check=True)
    except subprocess.TimeoutExpired:
        raise Unencodable(f"it took longer than {timeout} seconds") from None
    except subprocess.CalledProcessError as problem:
        raise Unencodable(_exit_reason(problem.returncode, timeout)) from None
    output = json.loads(completed.stdout)
    if "problem" in output:
        raise Unencodable(output["problem"])
    return EncodingResult(output["variants"], output["seconds"])


def _exit_reason(status: int, timeout: int) -> str:
    if status == -signal.SIGALRM:
        return f"it took longer than {timeout} seconds"
    return f"its codec crashed (signal {-status})" if status < 0 else "its codec crashed"


def _store_variant(medium: Medium, form: Mapping[str, str | int]) -> NewVariant:
    file, recipe = Path(str(form["file"])), str(form["recipe"])
    size = file.stat().st_size
    with file.open("rb") as data:
        name = default_storage.save(f"renditions/{medium.sha256[:2]}/{medium.sha256}/{recipe}", File(data))
    return NewVariant(recipe, str(form["mime_type"]), size, int(form["width"]), int(form["height"]), name)
