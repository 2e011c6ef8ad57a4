"""What a sweep costs where 1,000 messages and their discoveries are due: among a million that wait, or alone."""

import time
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from mms.messages import sweeper
from mms.models import Carrier, Discovery, Message, Status, Template
from simulator.bench import BenchError
from simulator.bench.figures import Figure, Series, alternate, at_most
from simulator.bench.stage import Stage, staged, standing_on
from simulator.demo import sample_data

DUE, WAITING = 1_000, 1_000_000
NO_SIMULATOR = "http://127.0.0.1:9"

# Discoveries whose ends are a millisecond apart, in another order than that in which they were stored.
DISCOVERIES = """
INSERT INTO mms_discovery
    (number, sender, carrier_id, account_id, subject, text, status, due_at, expires_at, created_at, tries, losses)
SELECT 14000000000 + %(first)s + n, '28444', %(carrier)s, %(account)s, 'Device Discovery', 'Hello', 'submitted',
       %(begin)s + interval '1 ms' * due, %(begin)s + interval '1 ms' * due, %(begin)s, 1, 0
FROM (SELECT n, %(first)s + row_number() OVER (ORDER BY n / 50000, hashint4(n)) AS due
      FROM generate_series(1, %(count)s) n) numbers
ORDER BY n
"""
# A message for each, that waits as long, and whose customer was told of the DDM.
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


class Crowd:
    """Messages and discoveries that wait in the database of a stage, of which the next 1,000 can be swept."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._begin = timezone.now()
        self._waited = self._swept = 0

    def wait(self, count: int) -> None:
        """So many more wait."""
        with standing_on(self._stage.database_url), connection.cursor() as cursor:
            store(self._waited, count, self._begin)
            # What goes on in the background after so much was written would be taken for the sweep's.
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
        self._waited += count

    def sweep(self) -> float:
        """Milliseconds that the sweep of the next 1,000 takes. Raises BenchError if it does not find just these."""
        with standing_on(self._stage.database_url):
            sweeper.sweep(self._moment(0))  # the connection is made, and has seen the tables
            begin = time.perf_counter()
            sweeper.sweep(self._moment(DUE))
            elapsed = time.perf_counter() - begin
            self._swept += DUE
            self._check()
        return elapsed * 1000

    def _moment(self, due: int) -> datetime:
        """When so many more are due."""
        return self._begin + timedelta(milliseconds=self._swept + due)

    def _check(self) -> None:
        awake = Message.objects.filter(status=Status.ACCEPTED).count()
        over = Discovery.objects.filter(status=Status.EXPIRED).count()
        if (awake, over) != (self._swept, self._swept):
            raise BenchError(f"{self._swept} were due; the sweeps moved {awake} messages and {over} discoveries")


def store(already: int, count: int, begin: datetime) -> None:
    """So many messages and discoveries beside those that are there already, the next due a millisecond after them."""
    account = sample_data.load(NO_SIMULATOR)
    template, _ = Template.objects.get_or_create(account=account, name="Bench")
    whose = {"account": account.pk, "template": template.pk, "carrier": Carrier.objects.get().pk}
    values: dict[str, Any] = {**whose, "first": already, "count": count, "begin": begin}
    with connection.cursor() as cursor:
        # Whom they belong to is known to exist: to check that for each takes four times as long as to write them.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(DISCOVERIES, values)
        cursor.execute(MESSAGES, values)
        cursor.execute("RESET session_replication_role")


def sweep(stage: Stage) -> list[Figure]:
    """What comes due when a deadline has passed, in two databases in turns. Raises BenchError."""
    with staged(stage.rounds, stage.seconds, stage.messages, stage.folder) as beside:
        many, few = Crowd(stage), Crowd(beside)
        many.wait(WAITING)

        def alone() -> float:
            few.wait(DUE)
            return few.sweep()

        among_many, among_few = alternate(stage.rounds, many.sweep, alone)
    return [
        Figure(
            Series(f"sweep of {DUE:,} due among {WAITING:,}", "ms", tuple(among_many)),
            Series(f"{DUE:,} due among {DUE:,}", "ms", tuple(among_few)),
            at_most(3.0),
            ("each with its message, its discovery and their timeline; every statement of the sweep, once a second",),
        )
    ]
