"""How many sendSavedMMS a second are accepted: each answered Success once its message, its event and its reservation

are committed; of one account, and of as many as there are connections.
"""

import base64
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from django.db import connection

from config.embedded.ports import HOST
from simulator.bench import BenchError, customers, yardstick
from simulator.bench.figures import Figure, Series, alternate, at_least
from simulator.bench.load import Load, drive
from simulator.bench.stage import Stage
from simulator.bench.web import THREADS, WORKERS, serving
from simulator.demo import sample_data
from simulator.demo.http_client import call_api

CONNECTIONS = ACCOUNTS = 32
WARM_UP = 2  # seconds
NUMBERS = [f"1404479{last:04}" for last in range(1000)]
# No worker runs, so nobody calls the carrier.
NO_SIMULATOR = "http://127.0.0.1:9"

CONTENT = f"""<request><action>saveMMS</action><api-key>{sample_data.API_KEY}</api-key><name>Bench</name>
<message-subject>Hello {{{{firstname|you}}}}</message-subject>
<slide><message-text>Dear {{{{firstname|customer}}}}</message-text></slide></request>"""

KNOWN_HANDSETS = """
INSERT INTO handsets_cachedhandset (number, handset_id, source, first_seen, last_seen)
SELECT unnest(%s::text[]), min(id), 'ddm-report', now(), now() FROM handsets_handset
"""

# Each message, with how often its timeline says that it was accepted, and how often its price was reserved.
STORED = """
SELECT id,
    (SELECT count(*) FROM mms_event WHERE message_id = mms_message.id AND kind = 'accepted'),
    (SELECT count(*) FROM billing_ledgerentry WHERE message = mms_message.id AND kind = 'reserve'
     AND reserved_change = mms_message.reserved AND reserved_change > 0)
FROM mms_message
"""


def accept_rate(stage: Stage) -> list[Figure]:
    """The seed request to numbers whose handsets are known, against pgbench at the same concurrency."""
    yardstick.make_table()
    with serving(stage) as port:
        make_world(port)
        door, bodies = f"http://{HOST}:{port}/ep/v1/", requests()
        warm_up = drive(door, bodies, CONNECTIONS, WARM_UP)
        loads, inserts = alternate(
            stage.rounds,
            lambda: drive(door, bodies, CONNECTIONS, stage.seconds),
            lambda: yardstick.inserts(stage.database_url, CONNECTIONS, stage.seconds),
        )
    proven = nothing_lost([answer for load in (warm_up, *loads) for answer in load.answers])
    figure = Figure(
        Series("accepted sendSavedMMS", "requests/s", tuple(load.rate for load in loads)),
        Series(yardstick.NAME, yardstick.UNIT, tuple(inserts)),
        at_least(0.20, wanted=0.50),
        notes=(*_circumstances(loads), proven),
    )
    return [figure]


def one_account(stage: Stage) -> list[Figure]:
    """All connections on one account, so on one balance, against the same load on an account each."""
    with serving(stage) as port:
        make_world(port)
        door, seeds = f"http://{HOST}:{port}/ep/v1/", [customers.seed(f"Customer {n}") for n in range(ACCOUNTS)]
        of_one, of_many = requests(seeds[:1]), requests(seeds)
        warm_up = [drive(door, of_one, CONNECTIONS, WARM_UP), drive(door, of_many, CONNECTIONS, WARM_UP)]
        one, many = alternate(
            stage.rounds,
            lambda: drive(door, of_one, CONNECTIONS, stage.seconds),
            lambda: drive(door, of_many, CONNECTIONS, stage.seconds),
        )
    proven = nothing_lost([answer for load in (*warm_up, *one, *many) for answer in load.answers])
    figure = Figure(
        Series("accepted sendSavedMMS of one account", "requests/s", tuple(load.rate for load in one)),
        Series(f"of {ACCOUNTS} accounts", "requests/s", tuple(load.rate for load in many)),
        at_least(0.80),
        notes=(proven,),
    )
    return [figure]


def make_world(port: int) -> None:
    """The demo's customer, funded to the end, with the template that the seed request names, and a known handset for

    every number.
    """
    customers.fund(sample_data.load(NO_SIMULATOR))
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_HANDSETS, [NUMBERS])
    answer = call_api(port, CONTENT.encode())
    if answer.get("mms-id") != str(sample_data.MMS_ID):
        raise BenchError(f"saveMMS was to store mms-id {sample_data.MMS_ID}: {answer}")


def requests(seeds: Sequence[str] = (customers.SEED,)) -> list[str]:
    """One to every number, of the seeds in turns."""
    in_turns = zip(itertools.cycle(seeds), NUMBERS, strict=False)
    return [re.sub("<to>[0-9]+</to>", f"<to>{number}</to>", seed) for seed, number in in_turns]


def nothing_lost(answers: Sequence[str]) -> str:
    """Says that every Success has its own message with event and reservation, and no message is without a Success.

    Raises BenchError where that is not so.
    """
    acknowledged = Counter(message_of(answer) for answer in answers)
    with connection.cursor() as cursor:
        cursor.execute(STORED)
        stored = {message: (events, reservations) for message, events, reservations in cursor.fetchall()}
    if acknowledged != Counter(stored.keys()) or set(stored.values()) != {(1, 1)}:
        missing = len(acknowledged.keys() - stored.keys())
        whole = [*stored.values()].count((1, 1))
        raise BenchError(
            f"{acknowledged.total()} answered Success for {len(acknowledged)} messages, {len(stored)} messages, "
            f"{whole} of them with event and reservation, in the database, {missing} acknowledged and lost"
        )
    return f"checked: {len(stored):,} answered Success = {len(stored):,} messages, each with event and reservation"


def message_of(answer: str) -> int:
    """The primary key in the tracking id of a Success. Raises BenchError for any other answer."""
    found = re.search("<status>Success</status>.*<tracking-id>(.+)</tracking-id>", answer)
    if found is None:
        raise BenchError(f"a request was not accepted: {answer}")
    return int(base64.b64decode(found[1]).removeprefix(b"MMS_"))


def _circumstances(loads: Sequence[Load]) -> tuple[str, ...]:
    share = median(load.processor_seconds / load.seconds for load in loads)
    middle = median(load.percentile(50) for load in loads)
    slow = median(load.percentile(99) for load in loads)
    return (
        f"{CONNECTIONS} keep-alive connections; granian with {WORKERS} workers of {THREADS} threads",
        "no worker runs: the doorbell is rung and nobody comes",
        f"pgbench: as many clients, {yardstick.PROTOCOL} protocol, one INSERT a commit",
        f"latency {middle:.0f} ms at the median, {slow:.0f} ms at the 99th percentile",
        f"the load generator took {share:.0%} of one processor of the same machine",
    )
