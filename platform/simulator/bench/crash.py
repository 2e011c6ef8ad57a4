"""Whether an acknowledged message can be lost: web and database are killed under full load, again and again."""

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
from simulator.bench import BenchError, accept, web
from simulator.bench.figures import Figure, Series, at_most
from simulator.bench.load import drive_until_broken
from simulator.bench.stage import Stage, child_environment, standing_on
from simulator.demo.processes import Processes

TIMES = 5
# Accepts before the kill, some more each time.
BEFORE, LATER = 200, 37
# Seconds that the load would go on without the kill.
LONGEST = 60

# Of these messages, those that are there whole: accepted once in their timeline, reserved once in the ledger.
WHOLE = """
SELECT count(*) FROM mms_message
WHERE id = ANY(%s)
  AND (SELECT count(*) FROM mms_event WHERE message_id = mms_message.id AND kind = 'accepted') = 1
  AND (SELECT count(*) FROM billing_ledgerentry WHERE message = mms_message.id AND kind = 'reserve') = 1
"""


@dataclass(frozen=True, slots=True)
class Crash:
    """A kill under load: the messages that were acknowledged before it, and those of them that it took away."""

    acknowledged: int
    lost: int


def crashes(stage: Stage) -> list[Figure]:
    """Acknowledged messages that are gone after web and database were killed. Raises BenchError.

    On servers of its own, as those of DATABASE_URL may have other work.
    """
    with TemporaryDirectory(prefix="mms-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        try:
            _prepare(stage, folder)
            kills = [_crash(stage, folder, BEFORE + LATER * number) for number in range(TIMES)]
        except ServersError as error:
            raise BenchError(str(error)) from error
        finally:
            embedded.destroy(folder)
    return [
        Figure(
            # Their sum: a median would hide a single loss.
            Series(f"accepts acknowledged and lost in {TIMES} kills", "messages", (sum(kill.lost for kill in kills),)),
            None,
            at_most(0),
            _circumstances(sum(kill.acknowledged for kill in kills)),
        )
    ]


def _circumstances(acknowledged: int) -> tuple[str, ...]:
    return (
        f"web and database killed -9 under {accept.CONNECTIONS} connections and started again",
        f"{acknowledged:,} acknowledged messages looked for, each with its event and its reservation",
        "the kernel lives on: this proves that no accept is acknowledged before its commit",
        "that a commit has reached the disk by then, PostgreSQL answers for: fsync and synchronous_commit are on",
    )


def _prepare(stage: Stage, folder: Path) -> None:
    """The database with its world, funded to the end."""
    url = embedded.start(folder).database_url
    with standing_on(url):
        call_command("migrate", verbosity=0)
        with web.serving(replace(stage, database_url=url)) as port:
            accept.make_world(port)


def _crash(stage: Stage, folder: Path, accepts: int) -> Crash:
    servers = embedded.start(folder)
    with Processes(settings.BASE_DIR, _environment(servers), stage.folder) as processes, ThreadPoolExecutor(1) as pool:
        door = f"http://{HOST}:{web.start(processes)}/ep/v1/"
        load = pool.submit(drive_until_broken, door, accept.requests(), accept.CONNECTIONS, LONGEST)
        with standing_on(servers.database_url):
            already = _messages()
            processes.wait_for("accepts", lambda: _messages() >= already + accepts, LONGEST)
        _kill(servers.postgres_pid, *processes.pids("web").values())
        keys = acknowledged(load.result().answers)
    with standing_on(embedded.start(folder).database_url):
        return Crash(len(keys), len(keys) - _whole(keys))


def _environment(servers: embedded.Servers) -> dict[str, str]:
    return child_environment(DATABASE_URL=servers.database_url, REDIS_URL=servers.redis_url)


def _messages() -> int:
    return Message.objects.count()


def acknowledged(answers: Sequence[str]) -> list[int]:
    """The primary keys of the messages that were answered with Success, each once. Raises BenchError."""
    # The web process may live to tell a last caller that the database is gone.
    keys = [accept.message_of(answer) for answer in answers if "<status>Success</status>" in answer]
    if not keys or len(keys) != len(set(keys)):
        raise BenchError(f"{len(keys)} acknowledged accepts of {len(set(keys))} messages before the kill")
    return keys


def _kill(*programs: int) -> None:
    """kill -9 to the programs and then to all that they started."""
    processes = [psutil.Process(pid) for pid in programs]
    started = [child for process in processes for child in process.children(recursive=True)]
    for process in (*processes, *started):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _whole(keys: list[int]) -> int:
    """How many of these messages are in the database with all that belongs to them."""
    with connection.cursor() as cursor:
        cursor.execute(WHOLE, [keys])
        (whole,) = cursor.fetchone()
    return int(whole)
