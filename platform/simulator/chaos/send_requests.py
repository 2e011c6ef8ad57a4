"""Send requests of a run and their schedule, generated from a seed."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from simulator.numbers import BEHAVIOURS, HANDSETS

# Messages per second, and the minimum duration in seconds: a small run needs time for some faults.
RATE = 14.0
MIN_DURATION = 40.0
# Shares of the requests that ...
NORMAL = 0.5  # ... go to numbers with normal delivery
RECENT_NUMBER = 0.15  # ... go to a recently used number
INLINE = 0.1  # ... contain their content
DISCOVERS = 0.6  # ... ask for a discovery if the handset is unknown
FORCES_DDM = 0.1  # ... of these, ask for it in any case
HANDSET_KNOWN = 0.3  # ... go to a number whose handset is known before the run
KEYED = 0.9  # ... have an idempotency key
REPEATED = 0.05  # ... of these, are repeated although they were answered
EXPIRES = 0.25  # ... expire soon after the run
# Size of the window of recently used numbers.
RECENT = 40


class Endpoint(StrEnum):
    """Endpoint and dialect of a request."""

    SINCH = "Sinch XML"
    SKYCORE = "Skycore XML"
    GET = "GET"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A request to send one message. `at` is its time in seconds, `account` the index of its customer."""

    reference: str
    at: float
    account: int
    endpoint: Endpoint
    number: str
    handset_known: bool
    inline: bool
    discovers: bool
    forces_ddm: bool
    keyed: bool
    repeated: bool
    expires: bool


def duration(messages: int) -> float:
    """Return the seconds over which this number of messages is sent."""
    return max(MIN_DURATION, messages / RATE)


def generate(seed: int, messages: int, accounts: int) -> list[SendRequest]:
    """Return the requests in chronological order, spread over the run."""
    random = Random(f"orders {seed}")  # noqa: S311 - reproducible, not used for security
    times = sorted(random.uniform(0.0, duration(messages)) for _ in range(messages))
    recent: list[str] = []
    requests = []
    for position, at in enumerate(times):
        number = random.choice(recent) if recent and random.random() < RECENT_NUMBER else _number(random)
        recent = [*recent[-RECENT:], number]
        requests.append(_generate_one(random, f"chaos-{seed}-{position}", at, accounts, number))
    return requests


def _number(random: Random) -> str:
    """Return a number in the United States; the last four digits select handset and behaviour (numbers.py)."""
    behaviour = "00" if random.random() < NORMAL else random.choice(sorted(BEHAVIOURS))
    return f"1404{random.randrange(200, 1000)}{random.choice(sorted(HANDSETS))}{behaviour}"


def _generate_one(random: Random, reference: str, at: float, accounts: int, number: str) -> SendRequest:
    inline = random.random() < INLINE
    discovers = random.random() < DISCOVERS
    keyed = random.random() < KEYED
    return SendRequest(
        reference=reference,
        at=round(at, 3),
        account=random.randrange(accounts),
        # GET does not support inline content.
        endpoint=random.choice([endpoint for endpoint in Endpoint if not (inline and endpoint is Endpoint.GET)]),
        number=number,
        # Derived from the number, so that it is the same for all requests to the number.
        handset_known=Random(number).random() < HANDSET_KNOWN,  # noqa: S311 - as above
        inline=inline,
        discovers=discovers,
        forces_ddm=discovers and random.random() < FORCES_DDM,
        keyed=keyed,
        repeated=keyed and random.random() < REPEATED,
        expires=random.random() < EXPIRES,
    )
