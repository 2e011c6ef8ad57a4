"""How many messages a second go all their way: accept, adapt with warm renditions, MM7 submit, report, postbacks.

The customer sends all messages of a round as fast as they are accepted, while the workers are at work on them; the
round lasts from the first accept to the last final postback that was taken.
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
from simulator.bench import BenchError, yardstick
from simulator.bench.accept import CONNECTIONS
from simulator.bench.customers import SEED
from simulator.bench.figures import Figure, Series, at_least, at_most
from simulator.bench.load import send
from simulator.bench.processors import Meter, servers
from simulator.bench.running import Running, running
from simulator.bench.stage import Stage
from simulator.demo import pictures, sample_data
from simulator.demo.http_client import call_api
from simulator.numbers import HANDSETS

# Messages of a round, for each of the seconds that a round is to take.
A_SECOND = 200
WARM_UP = 200
PROGRAMS = ("web", "worker", "notifier", "encoder", "beat")
SLOW = 0.1  # seconds until the slow MMSC and the slow customer's server answer
PATIENCE = 300.0  # seconds for a round
FORGOTTEN = 5.0  # seconds until every process has forgotten what it remembered of carrier and account
LOOK = 0.2  # seconds between two looks
# Of several screens and sizes; their last two digits ask for delivery at once, and a report that names the handset.
KINDS = ("00", "01", "03", "13")
NUMBERS = [f"1404{area}{kind}00" for area in range(200, 450) for kind in KINDS]

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

UNDER_WAY = """
SELECT (SELECT count(*) FROM mms_message WHERE due_at IS NOT NULL)
     + (SELECT count(*) FROM mms_postback WHERE due_at IS NOT NULL)
"""

# What came of the messages above a key: how many, in how many submits, how many delivered with N101 and then N102
# taken, and the seconds from the first accept to the last postback.
OUTCOME = """
SELECT count(*), sum(submits), count(*) FILTER (WHERE status = 'delivered' AND told = 'N101 taken, N102 taken'),
       extract(epoch FROM max(last) - min(created_at))
FROM (
    SELECT message.status, message.created_at, max(postback.ended_at) AS last,
           string_agg(postback.code || ' ' || postback.status, ', ' ORDER BY postback.ended_at, postback.id) AS told,
           (SELECT count(*) FROM mms_attempt WHERE mms_attempt.message_id = message.id) AS submits
    FROM mms_message message LEFT JOIN mms_postback postback ON postback.message_id = message.id
    WHERE message.id > %s GROUP BY message.id
) way
"""


@dataclass(frozen=True, slots=True)
class Round:
    """Messages that went all their way, in how many seconds, at what processor time by program."""

    messages: int
    seconds: float
    processor_seconds: Mapping[str, float]

    @property
    def rate(self) -> float:
        return self.messages / self.seconds

    @property
    def milliseconds(self) -> dict[str, float]:
        """Of processor time a message, by program."""
        return {name: 1000 * seconds / self.messages for name, seconds in self.processor_seconds.items()}


def whole_way(stage: Stage) -> list[Figure]:
    """With a prompt MMSC and customer beside pgbench, with slow ones beside that, and the processor time."""
    yardstick.make_table()
    with running(stage, SLOW) as place:
        make_world(place)
        meter = Meter({**place.processes.pids(*PROGRAMS), **servers()})
        for port in (place.prompt, place.slow):
            play(place, port, requests(WARM_UP), meter)
        analyze()
        rounds = [_turn(stage, place, meter) for _ in range(stage.rounds)]
    prompt, slow, inserts = (list(each) for each in zip(*rounds, strict=True))
    return _figures(prompt, slow, inserts)


def _turn(stage: Stage, place: Running, meter: Meter) -> tuple[Round, Round, float]:
    """A round with the prompt servers, one with the slow ones, one of the yardstick."""
    bodies = requests(A_SECOND * stage.seconds)
    prompt = play(place, place.prompt, bodies, meter)
    slow = play(place, place.slow, bodies, meter)
    return prompt, slow, yardstick.inserts(stage.database_url, CONNECTIONS, stage.seconds)


def _figures(prompt: Sequence[Round], slow: Sequence[Round], inserts: Sequence[float]) -> list[Figure]:
    rates = Series("messages, whole way", "messages/s", tuple(each.rate for each in prompt))
    slowed = Series(
        f"the same, MMSC and customer take {SLOW * 1000:.0f} ms", "messages/s", tuple(each.rate for each in slow)
    )
    spent = tuple(sum(each.milliseconds.values()) for each in prompt)
    limit = Series(yardstick.NAME, yardstick.UNIT, tuple(inserts))
    return [
        Figure(rates, limit, at_least(0.06, wanted=0.10), notes=_circumstances(prompt)),
        Figure(slowed, rates, at_least(0.8)),
        Figure(
            Series("processor time a message, without the simulator", "ms", spent),
            None,
            at_most(6.0, wanted=4.0),
            notes=(_by_program(prompt),),
        ),
    ]


def _circumstances(rounds: Sequence[Round]) -> tuple[str, ...]:
    total = sum(each.messages for each in rounds)
    return (
        f"sent over {CONNECTIONS} connections while the workers are at work; simulator and generator beside them",
        f"{len(KINDS)} kinds of handset, known; one account; a picture of 12 megapixels, its renditions made before",
        f"checked: {total:,} messages, each submitted once, delivered, N101 and then N102 taken",
    )


def _by_program(rounds: Sequence[Round]) -> str:
    names = rounds[0].milliseconds
    parts = {name: median(each.milliseconds[name] for each in rounds) for name in names}
    return ", ".join(f"{name} {spent:.2f}" for name, spent in parts.items())


def make_world(place: Running) -> None:
    """The demo's customer with prices and funds, a template with a picture, and a known handset for every number."""
    simulator = f"http://{HOST}:{place.prompt}"
    account = sample_data.load(simulator)
    sample_data.fund(account)
    ledger.top_up(account, 1_000_000 * sample_data.FUNDS, "for the bench", timezone.now())
    know([(number, HANDSETS[number[-4:-2]].identity) for number in NUMBERS])
    answer = call_api(place.web, CONTENT.format(simulator).encode())
    if answer.get("mms-id") != str(sample_data.MMS_ID):
        raise BenchError(f"saveMMS was to store mms-id {sample_data.MMS_ID}: {answer}")


def analyze() -> None:
    """What a server that has been at work for a while knows of its tables."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def know(handsets: Sequence[tuple[str, str]]) -> None:
    """Numbers with the identities of their handsets, which have profiles: the platform knows them from now on."""
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_HANDSETS, [list(each) for each in zip(*handsets, strict=True)])


def play(place: Running, simulator: int, bodies: Sequence[str], meter: Meter) -> Round:
    """Sends these messages, with this simulator as MMSC and customer, and follows them to their ends."""
    Carrier.objects.update(mmsc_url=f"http://{HOST}:{simulator}/mm7")
    Account.objects.update(postback_url=f"http://{HOST}:{simulator}/postbacks/ok")
    time.sleep(FORGOTTEN)
    before, spent = _last_message(), meter.read()
    send(f"http://{HOST}:{place.web}/ep/v1/", bodies, CONNECTIONS)
    place.processes.wait_for("the last postback", _all_done, PATIENCE)
    taken = {name: seconds - spent[name] for name, seconds in meter.read().items()}
    return Round(len(bodies), _proven(before, len(bodies)), taken)


def requests(messages: int, numbers: Sequence[str] = NUMBERS, mms_id: int = sample_data.MMS_ID) -> list[str]:
    """So many requests to send this template to these numbers, in turns."""
    seed = SEED.replace(f"<mms-id>{sample_data.MMS_ID}<", f"<mms-id>{mms_id}<")
    bodies = [re.sub("<to>[0-9]+</to>", f"<to>{number}</to>", seed) for number in numbers]
    return [bodies[index % len(bodies)] for index in range(messages)]


def _last_message() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM mms_message")
        (last,) = cursor.fetchone()
    return int(last)


def _all_done() -> bool:
    time.sleep(LOOK)
    with connection.cursor() as cursor:
        cursor.execute(UNDER_WAY)
        (under_way,) = cursor.fetchone()
    return not under_way


def _proven(before: int, messages: int) -> float:
    """The seconds that they took. Raises BenchError where one went another way, or was submitted more than once."""
    with connection.cursor() as cursor:
        cursor.execute(OUTCOME, [before])
        found, submits, delivered, seconds = cursor.fetchone()
    if not found == submits == delivered == messages:
        raise BenchError(f"{messages} sent: {found} accepted, {submits} submits, {delivered} delivered and told so")
    return float(seconds)
