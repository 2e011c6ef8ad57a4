"""Real servers for every test: a PostgreSQL and a Redis-protocol server of this run's own.

They run before Django reads its settings, unless DATABASE_URL and REDIS_URL name others, and go at the end. Each
worker of pytest-xdist has a pair to itself: no test sees the locks, rings or counts of another that runs meanwhile.
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
_named: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """The process that deals the tests out to workers runs none: they inherit nothing of it, not even the settings.

    Else they would read the settings, with its servers, before this file is loaded there.
    """
    if config.getoption("numprocesses", None):
        _run.close()
        for name in _named:
            del os.environ[name]


def pytest_unconfigure() -> None:
    _run.close()


def _start_servers(run: ExitStack) -> None:
    from config import embedded

    try:
        servers = run.enter_context(embedded.temporary())
    except embedded.ServersError as error:
        raise pytest.UsageError(str(error)) from error
    _name("DATABASE_URL", servers.database_url)
    _name("REDIS_URL", servers.redis_url)


def _prepare() -> None:
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        _start_servers(_run)
    _name("MEDIA_ROOT", _run.enter_context(TemporaryDirectory(prefix="mms-media-")))
    _name("SECRET_KEY", "of the tests alone")
    # The carriers and customers of the tests listen on loopback.
    _name("OUTBOUND_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")
    _name("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()


def _name(variable: str, value: str) -> None:
    os.environ[variable] = value
    _named.append(variable)


# When this file is loaded: the other conftest.py files, loaded right after it, import models.
_prepare()


@pytest.fixture(autouse=True)
def _empty_stale_caches() -> None:
    from base import stale_cache

    stale_cache.clear()
