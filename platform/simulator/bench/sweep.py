"""Benchmark of the sweep: 1,000 due messages with their discoveries, among a million waiting ones and alone."""

import time
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from base import time_limits
from mms.messages import sweeper
from mms.models import Carrier, Discovery, Message, Status, Template
from simulator.bench import BenchError
from simulator.bench.environment import Environment, default_database, temporary_environment
from simulator.bench.figures import Figure, Series, alternate, at_most
from simulator.demo import sample_data

DUE, WAITING = 1_000, 1_000_000
UNUSED_SIMULATOR = "http://127.0.0.1:9"

# Discoveries that expire a millisecond apart, in a different order than they are stored.
DISCOVERIES = """
INSERT INTO mms_discovery
    (number, sender, carrier_id, account_id, subject, text, status, due_at, expires_at, created_at, tries, losses)
SELECT 14000000000 + %(first)s + n, '28444', %(carrier)s, %(account)s, 'Device Discovery', 'Hello', 'submitted',
       %(begin)s + interval '1 ms' * due, %(begin)s + interval '1 ms' * due, %(begin)s, 1, 0
FROM (SELECT n, %(first)s + row_number() OVER (ORDER BY n / 50000, hashint4(n)) AS due
      FROM generate_series(1, %(count)s) n) numbers
ORDER BY n
"""
# One message per discovery with the same deadline, whose customer has got the postback on the DDM.
MESSAGES = """
WITH message AS (
    INSERT INTO mms_message
        (number, sender, carrier_id, account_id, template_id, status, due_at, expires_at, created_at, tries, losses,
         discovery_id, subject, ddm_text, ddm_subject, ddm_timeout, ddm_force, country, operator_id, texts, data,
         fallback_text, disable_fallback_sms, disable_fallback_sms_link, from_mask, client_reference,
         price_mms, price_ddm, reserved, pays_ddm)
    SELECT number, sender, carrier_id, account_id, %(template)s, 'discovering', due_at, due_at + interval '1 day',
           created_at, 0, 0, id, 'Spring is here', text, '', 5, false, 'US', '', '{}', '{}', '', false, false, '', '',
           0, 0, 0, false
    FROM mms_discovery d WHERE NOT EXISTS (SELECT FROM mms_message WHERE discovery_id = d.id)
    ORDER BY id
    RETURNING id, created_at
)
INSERT INTO mms_event (message_id, at, kind, text, details)
SELECT id, created_at, 'ddm-sent', 'the MMSC accepted the DDM', '{}' FROM message
"""


class WaitingMessages:
    """Waiting messages and discoveries in one database, which are swept 1,000 at a time."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._begin = timezone.now()
        self._stored = self._swept = 0

    def add(self, count: int) -> None:
        """Store more waiting messages."""
        with (
            default_database(self._environment.database_url),
            time_limits.lifted(),
            connection.cursor() as cursor,
        ):
            store_waiting(self._stored, count, self._begin)
            # Background work after this many writes would distort the measurement of the sweep.
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
        self._stored += count

    def sweep(self) -> float:
        """Sweep the next 1,000 and return the milliseconds. Raises BenchError if other rows were swept."""
        with default_database(self._environment.database_url):
            sweeper.sweep(self._time_when(0))  # opens the connection and loads the table metadata
            begin = time.perf_counter()
            sweeper.sweep(self._time_when(DUE))
            elapsed = time.perf_counter() - begin
            self._swept += DUE
            self._check()
        return elapsed * 1000

    def _time_when(self, due: int) -> datetime:
        """Return the time at which this many more are due."""
        return self._begin + timedelta(milliseconds=self._swept + due)

    def _check(self) -> None:
        messages = Message.objects.filter(status=Status.ACCEPTED).count()
        discoveries = Discovery.objects.filter(status=Status.EXPIRED).count()
        if (messages, discoveries) != (self._swept, self._swept):
            raise BenchError(f"{self._swept} were due; {messages} messages and {discoveries} discoveries were swept")


def store_waiting(existing: int, count: int, begin: datetime) -> None:
    """Store more messages and discoveries, due at intervals of a millisecond after the existing ones."""
    account = sample_data.load(UNUSED_SIMULATOR)
    template, _ = Template.objects.get_or_create(account=account, name="Bench")
    owner = {"account": account.pk, "template": template.pk, "carrier": Carrier.objects.get().pk}
    values: dict[str, Any] = {**owner, "first": existing, "count": count, "begin": begin}
    with connection.cursor() as cursor:
        # Skip the foreign key checks, which take four times as long as the inserts: the referenced rows exist.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(DISCOVERIES, values)
        cursor.execute(MESSAGES, values)
        cursor.execute("RESET session_replication_role")


def measure_sweep(environment: Environment) -> list[Figure]:
    """Measure the sweep after a deadline, alternately in a large and a small database. Raises BenchError."""
    with temporary_environment(
        environment.rounds, environment.seconds, environment.messages, environment.folder
    ) as small:
        many, few = WaitingMessages(environment), WaitingMessages(small)
        many.add(WAITING)

        def sweep_few() -> float:
            few.add(DUE)
            return few.sweep()

        among_many, among_few = alternate(environment.rounds, many.sweep, sweep_few)
    return [
        Figure(
            Series(f"sweep of {DUE:,} due messages among {WAITING:,}", "ms", tuple(among_many)),
            Series(f"among {DUE:,}", "ms", tuple(among_few)),
            at_most(3.0),
            ("each message with its discovery and timeline; all statements of the sweep, which runs once per second",),
        )
    ]
