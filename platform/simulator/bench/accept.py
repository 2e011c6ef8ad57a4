"""Benchmark of accepting sendSavedMMS: requests per second, from one account and from one account per connection.

A request counts once it is answered with Success, after the commit of its message, event and reservation.
"""

import base64
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from django.db import connection

from config.embedded.ports import HOST
from config.web import THREADS, WORKERS
from simulator.bench import BenchError, customers, pgbench
from simulator.bench.environment import Environment
from simulator.bench.figures import Figure, Series, alternate, at_least
from simulator.bench.load import Load, post_repeatedly
from simulator.bench.web_process import running_web
from simulator.demo import sample_data
from simulator.demo.http_client import call_api

CONNECTIONS = ACCOUNTS = 32
WARM_UP = 2  # seconds
NUMBERS = [f"1404479{last:04}" for last in range(1000)]
# No worker is running, so there are no requests to the MMSC.
UNUSED_SIMULATOR = "http://127.0.0.1:9"

CONTENT = f"""<request><action>saveMMS</action><api-key>{sample_data.API_KEY}</api-key><name>Bench</name>
<message-subject>Hello {{{{firstname|you}}}}</message-subject>
<slide><message-text>Dear {{{{firstname|customer}}}}</message-text></slide></request>"""

KNOWN_HANDSETS = """
INSERT INTO handsets_cachedhandset (number, handset_id, source, first_seen, last_seen)
SELECT unnest(%s::text[]), min(id), 'ddm-report', now(), now() FROM handsets_handset
"""

# Per message: the number of its events "accepted", and of the reservations of its price.
STORED_MESSAGES = """
SELECT id,
    (SELECT count(*) FROM mms_event WHERE message_id = mms_message.id AND kind = 'accepted'),
    (SELECT count(*) FROM billing_ledgerentry WHERE message = mms_message.id AND kind = 'reserve'
     AND reserved_change = mms_message.reserved AND reserved_change > 0)
FROM mms_message
"""


def measure_accept_rate(environment: Environment) -> list[Figure]:
    """Compare the seed request, to numbers with known handsets, with pgbench at the same concurrency."""
    pgbench.create_table()
    with running_web(environment) as port:
        prepare_data(port)
        url, bodies = f"http://{HOST}:{port}/ep/v1/", requests()
        warm_up = post_repeatedly(url, bodies, CONNECTIONS, WARM_UP)
        loads, inserts = alternate(
            environment.rounds,
            lambda: post_repeatedly(url, bodies, CONNECTIONS, environment.seconds),
            lambda: pgbench.measure_inserts(environment.database_url, CONNECTIONS, environment.seconds),
        )
    verified = verify_none_lost([answer for load in (warm_up, *loads) for answer in load.answers])
    figure = Figure(
        Series("accepted sendSavedMMS", "requests/s", tuple(load.rate for load in loads)),
        Series(pgbench.NAME, pgbench.UNIT, tuple(inserts)),
        at_least(0.20, stretch=0.50),
        notes=(*_conditions(loads), verified),
    )
    return [figure]


def measure_one_account(environment: Environment) -> list[Figure]:
    """Compare all connections using one account, hence one balance, with one account per connection."""
    with running_web(environment) as port:
        prepare_data(port)
        url = f"http://{HOST}:{port}/ep/v1/"
        seeds = [customers.create_customer(f"Customer {number}") for number in range(ACCOUNTS)]
        of_one, of_many = requests(seeds[:1]), requests(seeds)
        warm_up = [
            post_repeatedly(url, of_one, CONNECTIONS, WARM_UP),
            post_repeatedly(url, of_many, CONNECTIONS, WARM_UP),
        ]
        one, many = alternate(
            environment.rounds,
            lambda: post_repeatedly(url, of_one, CONNECTIONS, environment.seconds),
            lambda: post_repeatedly(url, of_many, CONNECTIONS, environment.seconds),
        )
    verified = verify_none_lost([answer for load in (*warm_up, *one, *many) for answer in load.answers])
    figure = Figure(
        Series("accepted sendSavedMMS, one account", "requests/s", tuple(load.rate for load in one)),
        Series(f"{ACCOUNTS} accounts", "requests/s", tuple(load.rate for load in many)),
        at_least(0.80),
        notes=(verified,),
    )
    return [figure]


def prepare_data(port: int) -> None:
    """Create the demo's customer with sufficient funds, the seed request's template, and the handset of each number."""
    customers.fund(sample_data.load(UNUSED_SIMULATOR))
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_HANDSETS, [NUMBERS])
    answer = call_api(port, CONTENT.encode())
    if answer.get("mms-id") != str(sample_data.MMS_ID):
        raise BenchError(f"saveMMS did not store mms-id {sample_data.MMS_ID}: {answer}")


def requests(seeds: Sequence[str] = (customers.SEED,)) -> list[str]:
    """Return one request per number, taking the seeds in turn."""
    pairs = zip(itertools.cycle(seeds), NUMBERS, strict=False)
    return [re.sub("<to>[0-9]+</to>", f"<to>{number}</to>", seed) for seed, number in pairs]


def verify_none_lost(answers: Sequence[str]) -> str:
    """Check that each Success has its own message with event and reservation, and each message its Success.

    Return a summary for the report. Raises BenchError if the check fails.
    """
    acknowledged = Counter(message_key(answer) for answer in answers)
    with connection.cursor() as cursor:
        cursor.execute(STORED_MESSAGES)
        stored = {message: (events, reservations) for message, events, reservations in cursor.fetchall()}
    if acknowledged != Counter(stored.keys()) or set(stored.values()) != {(1, 1)}:
        lost = len(acknowledged.keys() - stored.keys())
        complete = [*stored.values()].count((1, 1))
        raise BenchError(
            f"{acknowledged.total()} requests answered with Success for {len(acknowledged)} messages; {len(stored)} "
            f"messages in the database, {complete} with event and reservation; {lost} acknowledged messages lost"
        )
    return f"verified: {len(stored):,} Success answers = {len(stored):,} messages, each with event and reservation"


def message_key(answer: str) -> int:
    """Return the primary key from the tracking ID of a Success. Raises BenchError for any other answer."""
    match = re.search("<status>Success</status>.*<tracking-id>(.+)</tracking-id>", answer)
    if match is None:
        raise BenchError(f"a request was not accepted: {answer}")
    return int(base64.b64decode(match[1]).removeprefix(b"MMS_"))


def _conditions(loads: Sequence[Load]) -> tuple[str, ...]:
    share = median(load.cpu_seconds / load.seconds for load in loads)
    typical = median(load.percentile(50) for load in loads)
    slow = median(load.percentile(99) for load in loads)
    return (
        f"{CONNECTIONS} keep-alive connections; granian with {WORKERS} workers of {THREADS} threads",
        "no worker is running",
        f"pgbench: the same number of clients, {pgbench.PROTOCOL} protocol, one INSERT per commit",
        f"latency {typical:.0f} ms median, {slow:.0f} ms at the 99th percentile",
        f"the load generator used {share:.0%} of one processor of the same machine",
    )
