"""Benchmark of durability: web process and database are repeatedly killed under full load, and losses counted."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil  # type: ignore[import-untyped]
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from config import embedded
from config.embedded import ServersError
from config.embedded.ports import HOST
from mms.models import Message
from simulator.bench import BenchError, accept, web_process
from simulator.bench.environment import Environment, child_environment, default_database
from simulator.bench.figures import Figure, Series, at_most
from simulator.bench.load import post_until_disconnected
from simulator.demo.processes import Processes

CRASHES = 5
# Accepted messages before the first crash, and how many more before each further one.
INITIAL_ACCEPTS, ADDITIONAL_ACCEPTS = 200, 37
LOAD_TIMEOUT = 60  # seconds

# Counts the messages that are complete: one event "accepted" and one reservation each.
COMPLETE_MESSAGES = """
SELECT count(*) FROM mms_message
WHERE id = ANY(%s)
  AND (SELECT count(*) FROM mms_event WHERE message_id = mms_message.id AND kind = 'accepted') = 1
  AND (SELECT count(*) FROM billing_ledgerentry WHERE message = mms_message.id AND kind = 'reserve') = 1
"""


@dataclass(frozen=True, slots=True)
class Crash:
    """A crash under load: the number of messages acknowledged before it, and of those lost."""

    acknowledged: int
    lost: int


def measure_losses(environment: Environment) -> list[Figure]:
    """Count the acknowledged messages lost when web process and database are killed. Raises BenchError.

    Uses its own servers, because those of DATABASE_URL may have other users.
    """
    with TemporaryDirectory(prefix="mms-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            _prepare(environment, folder)
            crashes = [
                _crash(environment, folder, INITIAL_ACCEPTS + ADDITIONAL_ACCEPTS * number) for number in range(CRASHES)
            ]
        except ServersError as error:
            raise BenchError(str(error)) from error
        finally:
            embedded.destroy(folder)
    return [
        Figure(
            # The sum, because a median would hide a single loss.
            Series(
                f"acknowledged messages lost in {CRASHES} crashes", "messages", (sum(crash.lost for crash in crashes),)
            ),
            None,
            at_most(0),
            _conditions(sum(crash.acknowledged for crash in crashes)),
        )
    ]


def _conditions(acknowledged: int) -> tuple[str, ...]:
    return (
        f"web process and database killed with SIGKILL under {accept.CONNECTIONS} connections, then restarted",
        f"{acknowledged:,} acknowledged messages checked, each with event and reservation",
        "the kernel keeps running: this shows that no message is acknowledged before its commit",
        "PostgreSQL guarantees that a commit is on disk: fsync and synchronous_commit are on",
    )


def _prepare(environment: Environment, folder: Path) -> None:
    """Start the servers and create the database with its data."""
    url = embedded.start(folder).database_url
    with default_database(url):
        call_command("migrate", verbosity=0)
        with web_process.running_web(replace(environment, database_url=url)) as port:
            accept.prepare_data(port)


def _crash(environment: Environment, folder: Path, accepts: int) -> Crash:
    servers = embedded.start(folder)
    with (
        Processes(settings.BASE_DIR, _environment(servers), environment.folder) as processes,
        ThreadPoolExecutor(1) as pool,
    ):
        url = f"http://{HOST}:{web_process.start_web(processes)}/ep/v1/"
        load = pool.submit(post_until_disconnected, url, accept.requests(), accept.CONNECTIONS, LOAD_TIMEOUT)
        with default_database(servers.database_url):
            initial = _count_messages()
            processes.wait_for("accepted messages", lambda: _count_messages() >= initial + accepts, LOAD_TIMEOUT)
        _kill_with_children(servers.postgres_pid, *processes.pids("web").values())
        keys = acknowledged(load.result().answers)
    with default_database(embedded.start(folder).database_url):
        return Crash(len(keys), len(keys) - _count_complete(keys))


def _environment(servers: embedded.Servers) -> dict[str, str]:
    return child_environment(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)


def _count_messages() -> int:
    return Message.objects.count()


def acknowledged(answers: Sequence[str]) -> list[int]:
    """Return the primary keys of the messages answered with Success. Raises BenchError on duplicates, or if none."""
    # The web process may still answer a last request with a failure after the database is gone.
    keys = [accept.message_key(answer) for answer in answers if "<status>Success</status>" in answer]
    if not keys or len(keys) != len(set(keys)):
        raise BenchError(f"{len(keys)} acknowledgements of {len(set(keys))} messages before the crash")
    return keys


def _kill_with_children(*programs: int) -> None:
    """Send SIGKILL to the programs, then to their descendants."""
    processes = [psutil.Process(pid) for pid in programs]
    children = [child for process in processes for child in process.children(recursive=True)]
    for process in (*processes, *children):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _count_complete(keys: list[int]) -> int:
    """Return how many of these messages are in the database with event and reservation."""
    with connection.cursor() as cursor:
        cursor.execute(COMPLETE_MESSAGES, [keys])
        (count,) = cursor.fetchone()
    return int(count)
