"""How many sendSavedMMS a second are accepted: each answered Success once its message, its event and its reservation

are committed. Of one account, and of as many accounts as there are connections.
"""

import base64
import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

from django.db import connection

from config.embedded.ports import HOST
from simulator.bench import BenchError, yardstick
from simulator.bench.figures import Figure, Series, alternate, at_least
from simulator.bench.load import Load, drive
from simulator.bench.stage import Stage
from simulator.bench.web import THREADS, WORKERS, serving
from simulator.demo import customers, world

CONNECTIONS = ACCOUNTS = 32
WARM_UP = 2  # seconds
NUMBERS = [f"1404479{last:04}" for last in range(1000)]
# No worker runs, so nobody calls the carrier.
NO_SIMULATOR = "http://127.0.0.1:9"

KNOWN_HANDSETS = """
INSERT INTO handsets_cachedhandset (number, handset_id, source, first_seen, last_seen)
SELECT unnest(%s::text[]), min(id), 'ddm-report', now(), now() FROM handsets_handset
ON CONFLICT DO NOTHING
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
        send = _customers(port, 1)
        warm_up = send(WARM_UP)
        loads, inserts = alternate(
            stage.rounds,
            lambda: send(stage.seconds),
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
        send_as_one, send_as_many = _customers(port, 1), _customers(port, ACCOUNTS)
        warm_up = [send_as_one(WARM_UP), send_as_many(WARM_UP)]
        one, many = alternate(stage.rounds, lambda: send_as_one(stage.seconds), lambda: send_as_many(stage.seconds))
    proven = nothing_lost([answer for load in (*warm_up, *one, *many) for answer in load.answers])
    figure = Figure(
        Series("accepted sendSavedMMS of one account", "requests/s", tuple(load.rate for load in one)),
        Series(f"the same of {ACCOUNTS} accounts", "requests/s", tuple(load.rate for load in many)),
        at_least(0.80, wanted=1.00),
        notes=(proven,),
    )
    return [figure]


def _customers(port: int, accounts: int) -> Callable[[int], Load]:
    """So many customers like the demo's; returns what has them send for so many seconds over all connections."""
    bodies = requests(accounts)
    return lambda seconds: drive(f"http://{HOST}:{port}/ep/v1/", bodies, CONNECTIONS, seconds)


def requests(accounts: int) -> list[str]:
    """What so many new customers like the demo's ask for, in turns: stored content to numbers of known handsets."""
    world.load(NO_SIMULATOR)
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_HANDSETS, [NUMBERS])
    orders = itertools.cycle([customers.order(f"{name} of {accounts}") for name in range(accounts)])
    return [order.replace("14044790000", number) for order, number in zip(orders, NUMBERS, strict=False)]


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
