"""Real servers for every test run: a private PostgreSQL and Redis-protocol server.

They start before Django reads its settings, unless DATABASE_URL and REDIS_URL are set, and stop at the end. Each worker
of pytest-xdist has its own pair, so no test sees the locks, wake-ups or counts of a concurrent one.
"""

import os
from contextlib import ExitStack
from tempfile import TemporaryDirectory

import django
import pytest

# Before the module is imported, so that pytest explains its failed assertions.
pytest.register_assert_rewrite("tests.processes.messages")
pytest_plugins = ["tests.fixtures"]

_resources = ExitStack()
_variables: list[str] = []


def pytest_configure(config: pytest.Config) -> None:
    """Remove the servers and variables of the controlling process of pytest-xdist, which runs no tests itself.

    Its workers would inherit the variables, and read the settings before this file starts their own servers.
    """
    if config.getoption("numprocesses", None):
        _resources.close()
        for name in _variables:
            del os.environ[name]


def pytest_unconfigure() -> None:
    _resources.close()


def _start_servers(resources: ExitStack) -> None:
    from config import embedded

    try:
        servers = resources.enter_context(embedded.temporary())
    except embedded.ServersError as error:
        raise pytest.UsageError(str(error)) from error
    _set("DATABASE_URL", servers.database_url)
    _set("REDIS_URL", servers.redis_url)


def _prepare() -> None:
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        _start_servers(_resources)
    _set("MEDIA_ROOT", _resources.enter_context(TemporaryDirectory(prefix="mms-media-")))
    _set("SECRET_KEY", "only for tests")
    # The servers of the tests' carriers and customers listen on loopback.
    for purpose in ("MMSC", "POSTBACK", "DOWNLOAD"):
        _set(f"{purpose}_ALLOWED_NETWORKS", "127.0.0.0/8,::1/128")
    _set("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()


def _set(variable: str, value: str) -> None:
    os.environ[variable] = value
    _variables.append(variable)


# At import time, because the other conftest.py files, loaded right after this one, import models.
_prepare()


@pytest.fixture(autouse=True)
def _empty_stale_caches() -> None:
    from base import stale_cache
    from mms.runtime import send_loop

    stale_cache.clear()
    send_loop._replied.clear()  # the carriers of two tests may have the same key
