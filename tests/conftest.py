"""Real servers for every test: a PostgreSQL and a Redis-protocol server of this run's own.

They run before Django reads its settings, unless DATABASE_URL and REDIS_URL name others, and go at the end.
"""

import os
from contextlib import ExitStack
from tempfile import TemporaryDirectory

import django
import pytest

# Before anything imports it: its assertions are told in full, too.
pytest.register_assert_rewrite("tests.processes.messages")
pytest_plugins = ["tests.worlds"]

_run = ExitStack()


def pytest_unconfigure() -> None:
    _run.close()


def _start_servers(run: ExitStack) -> None:
    from config import embedded

    try:
        servers = run.enter_context(embedded.temporary())
    except embedded.ServersError as error:
        raise pytest.UsageError(str(error)) from error
    os.environ["DATABASE_URL"] = servers.database_url
    os.environ["REDIS_URL"] = servers.redis_url


def _prepare() -> None:
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        _start_servers(_run)
    os.environ["MEDIA_ROOT"] = _run.enter_context(TemporaryDirectory(prefix="mms-media-"))
    os.environ["SECRET_KEY"] = "of the tests alone"
    # The carriers and customers of the tests listen on loopback.
    os.environ["OUTBOUND_ALLOWED_NETWORKS"] = "127.0.0.0/8,::1/128"
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    django.setup()


# When this file is loaded: the other conftest.py files, loaded right after it, import models.
_prepare()
