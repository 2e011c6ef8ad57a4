"""Fork server for test processes: it imports their modules once, and each process is forked from it.

Importing Django, Celery and the codecs takes an interpreter a second, and the tests start about forty. A forked process
runs its module as `python -m` would; no connection is open yet.
"""

import os
import runpy
import sys
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

_context = get_context("forkserver")
_context.set_forkserver_preload(["tests.processes.preloaded_modules"])


def start(module: str, arguments: list[str], environment: dict[str, str], log: Path) -> BaseProcess:
    """Start `python -m module arguments` as the leader of a new process group that writes to the log.

    The first start determines the environment of all: it reads the settings.
    """
    process = _context.Process(target=_run, args=(module, arguments, log))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        process.start()
    return process


def _run(module: str, arguments: list[str], log: Path) -> None:
    os.setsid()
    with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
