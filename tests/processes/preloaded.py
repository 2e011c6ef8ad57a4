"""A process that has imported all that ours import, once; each process of a test is forked from it.

An interpreter takes a second of a processor to import Django, Celery and the codecs, and the tests start some forty.
What is forked runs the module as `python -m` would, with all of its life before it: no connection is open yet.
"""

import os
import runpy
import sys
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

_context = get_context("forkserver")
_context.set_forkserver_preload(["tests.processes.nursery"])


def start(module: str, arguments: list[str], environment: dict[str, str], log: Path) -> BaseProcess:
    """`python -m module arguments`, leader of a process group of its own, that writes to the log.

    The first start decides the environment of all: the settings are read then.
    """
    process = _context.Process(target=_become, args=(module, arguments, log))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        process.start()
    return process


def _become(module: str, arguments: list[str], log: Path) -> None:
    os.setsid()
    with log.open("wb") as output, Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
