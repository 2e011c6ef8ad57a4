"""Benchmark of end-to-end throughput: accept, adaptation with warm renditions, MM7 submit, report, postbacks.

The customer sends all messages of a round as fast as they are accepted, while the workers process them; a round lasts
from the first accept to the delivery of the last final postback.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from django.db import connection
from django.utils import timezone

from billing import ledger
from billing.models import Account
from config.embedded.ports import HOST
from mms.models import Carrier
from simulator.bench import BenchError, pgbench
from simulator.bench.accept import CONNECTIONS
from simulator.bench.cpu_time import CpuMeter, server_pids
from simulator.bench.customers import SEED
from simulator.bench.environment import Environment
from simulator.bench.figures import Figure, Series, at_least, at_most
from simulator.bench.load import post_once
from simulator.bench.platform_processes import RunningPlatform, running_platform
from simulator.demo import pictures, sample_data
from simulator.demo.http_client import call_api
from simulator.numbers import HANDSETS

# Messages per second of a round's nominal duration.
MESSAGES_PER_SECOND = 200
WARM_UP = 200
PROGRAMS = ("web", "worker", "notifier", "encoder", "beat")
SLOW_DELAY = 0.1  # seconds until the slow MMSC and the slow customer server respond
ROUND_TIMEOUT = 300.0  # seconds
CACHE_LIFETIME = 5.0  # seconds until every process has refreshed its cached carrier and account
POLL_INTERVAL = 0.2  # seconds
# Handsets with different limits; the last two digits select immediate delivery and reports that name the handset.
MODELS = ("00", "01", "03", "13")
NUMBERS = [f"1404{area}{model}00" for area in range(200, 450) for model in MODELS]

CONTENT = f"""<request><action>saveMMS</action><api-key>{sample_data.API_KEY}</api-key><name>Bench</name>
<message-subject>Hello {{{{firstname|you}}}}</message-subject>
<slide><image><url>{{}}/pictures/{pictures.PHOTOGRAPH}</url></image><duration>8</duration>
<message-text>Dear {{{{firstname|customer}}}}</message-text></slide></request>"""

KNOWN_HANDSETS = """
INSERT INTO handsets_cachedhandset (number, handset_id, source, first_seen, last_seen)
SELECT known.number, handset.id, 'delivery-report', now(), now()
FROM unnest(%s::text[], %s::text[]) known(number, identity)
JOIN handsets_handset handset ON handset.identity = known.identity
"""

UNFINISHED = """
SELECT (SELECT count(*) FROM mms_message WHERE due_at IS NOT NULL)
     + (SELECT count(*) FROM mms_postback WHERE due_at IS NOT NULL)
"""

# For the messages above a key: their count, the submits, the messages delivered with postbacks N101 and then N102,
# and the seconds from the first accept to the last postback.
OUTCOME = """
SELECT count(*), sum(submits), count(*) FILTER (WHERE status = 'delivered' AND postbacks = 'N101 taken, N102 taken'),
       extract(epoch FROM max(last) - min(created_at))
FROM (
    SELECT message.status, message.created_at, max(postback.ended_at) AS last,
           string_agg(postback.code || ' ' || postback.status, ', ' ORDER BY postback.ended_at, postback.id)
               AS postbacks,
           (SELECT count(*) FROM mms_attempt WHERE mms_attempt.message_id = message.id) AS submits
    FROM mms_message message LEFT JOIN mms_postback postback ON postback.message_id = message.id
    WHERE message.id > %s GROUP BY message.id
) outcome
"""


@dataclass(frozen=True, slots=True)
class Round:
    """Number of delivered messages, duration in seconds, and CPU time by program."""

    messages: int
    seconds: float
    cpu_seconds: Mapping[str, float]

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def cpu_milliseconds(self) -> dict[str, float]:
        """CPU time per message in milliseconds, by program."""
        return {name: 1000 * seconds / self.messages for name, seconds in self.cpu_seconds.items()}


def measure_throughput(environment: Environment) -> list[Figure]:
    """Compare a fast MMSC and customer with pgbench, and slow ones with fast ones; measure the CPU time."""
    pgbench.create_table()
    with running_platform(environment, SLOW_DELAY) as platform:
        prepare_data(platform)
        meter = CpuMeter({**platform.processes.pids(*PROGRAMS), **server_pids()})
        for port in (platform.fast_port, platform.slow_port):
            run_round(platform, port, requests(WARM_UP), meter)
        analyze()
        rounds = [_measure_round(environment, platform, meter) for _ in range(environment.rounds)]
    fast, slow, inserts = (list(each) for each in zip(*rounds, strict=True))
    return _figures(fast, slow, inserts)


def _measure_round(environment: Environment, platform: RunningPlatform, meter: CpuMeter) -> tuple[Round, Round, float]:
    """Run one round each with the fast servers, the slow servers and the baseline."""
    bodies = requests(MESSAGES_PER_SECOND * environment.seconds)
    fast = run_round(platform, platform.fast_port, bodies, meter)
    slow = run_round(platform, platform.slow_port, bodies, meter)
    return fast, slow, pgbench.measure_inserts(environment.database_url, CONNECTIONS, environment.seconds)


def _figures(fast: Sequence[Round], slow: Sequence[Round], inserts: Sequence[float]) -> list[Figure]:
    rates = Series("end-to-end messages", "messages/s", tuple(each.rate for each in fast))
    slowed = Series(
        f"end-to-end messages, MMSC and customer responding after {SLOW_DELAY * 1000:.0f} ms",
        "messages/s",
        tuple(each.rate for each in slow),
    )
    spent = tuple(sum(each.cpu_milliseconds.values()) for each in fast)
    limit = Series(pgbench.NAME, pgbench.UNIT, tuple(inserts))
    return [
        Figure(rates, limit, at_least(0.06, stretch=0.10), notes=_conditions(fast)),
        Figure(slowed, rates, at_least(0.8)),
        Figure(
            Series("CPU time per message, without the simulator", "ms", spent),
            None,
            at_most(6.0, stretch=4.0),
            notes=(_by_program(fast),),
        ),
    ]


def _conditions(rounds: Sequence[Round]) -> tuple[str, ...]:
    total = sum(each.messages for each in rounds)
    return (
        f"sent over {CONNECTIONS} connections while the workers are running, with simulator and load generator",
        f"{len(MODELS)} known handset models; one account; a 12-megapixel picture with existing renditions",
        f"verified: {total:,} messages, each submitted once and delivered, with postbacks N101 and then N102",
    )


def _by_program(rounds: Sequence[Round]) -> str:
    names = rounds[0].cpu_milliseconds
    parts = {name: median(each.cpu_milliseconds[name] for each in rounds) for name in names}
    return ", ".join(f"{name} {spent:.2f}" for name, spent in parts.items())


def prepare_data(platform: RunningPlatform) -> None:
    """Create the demo's customer with prices and funds, a template with a picture, and the handset of each number."""
    simulator = f"http://{HOST}:{platform.fast_port}"
    account = sample_data.load(simulator)
    sample_data.fund(account)
    ledger.top_up(account, 1_000_000 * sample_data.FUNDS, "for the bench", timezone.now())
    set_handsets([(number, HANDSETS[number[-4:-2]].identity) for number in NUMBERS])
    answer = call_api(platform.web_port, CONTENT.format(simulator).encode())
    if answer.get("mms-id") != str(sample_data.MMS_ID):
        raise BenchError(f"saveMMS did not store mms-id {sample_data.MMS_ID}: {answer}")


def analyze() -> None:
    """Update the planner statistics, as on a server that has been in use for a while."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def set_handsets(handsets: Sequence[tuple[str, str]]) -> None:
    """Store the handsets of numbers, given as pairs of number and identity, in the handset cache."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_HANDSETS, [list(each) for each in zip(*handsets, strict=True)])


def run_round(platform: RunningPlatform, simulator: int, bodies: Sequence[str], meter: CpuMeter) -> Round:
    """Send these messages, with this simulator as MMSC and customer, and wait until all are finished."""
    Carrier.objects.update(mmsc_url=f"http://{HOST}:{simulator}/mm7")
    Account.objects.update(postback_url=f"http://{HOST}:{simulator}/postbacks/ok")
    time.sleep(CACHE_LIFETIME)
    before, spent = _last_message_key(), meter.read()
    post_once(f"http://{HOST}:{platform.web_port}/ep/v1/", bodies, CONNECTIONS)
    platform.processes.wait_for("the last postback", _all_finished, ROUND_TIMEOUT)
    used = {name: seconds - spent[name] for name, seconds in meter.read().items()}
    return Round(len(bodies), _verify(before, len(bodies)), used)


def requests(messages: int, numbers: Sequence[str] = NUMBERS, mms_id: int = sample_data.MMS_ID) -> list[str]:
    """Return requests that send this template to these numbers, in turn."""
    seed = SEED.replace(f"<mms-id>{sample_data.MMS_ID}<", f"<mms-id>{mms_id}<")
    bodies = [re.sub("<to>[0-9]+</to>", f"<to>{number}</to>", seed) for number in numbers]
    return [bodies[index % len(bodies)] for index in range(messages)]


def _last_message_key() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM mms_message")
        (last,) = cursor.fetchone()
    return int(last)


def _all_finished() -> bool:
    time.sleep(POLL_INTERVAL)
    with connection.cursor() as cursor:
        cursor.execute(UNFINISHED)
        (unfinished,) = cursor.fetchone()
    return not unfinished


def _verify(before: int, messages: int) -> float:
    """Return the duration in seconds. Raises BenchError unless each message was submitted once and delivered."""
    with connection.cursor() as cursor:
        cursor.execute(OUTCOME, [before])
        found, submits, delivered, seconds = cursor.fetchone()
    if not found == submits == delivered == messages:
        raise BenchError(
            f"{messages} sent: {found} accepted, {submits} submits, {delivered} delivered with all postbacks"
        )
    return float(seconds)
