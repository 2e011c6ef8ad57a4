"""What the customers send, and when: made from a seed. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from simulator.numbers import BEHAVIOURS, HANDSETS

# Messages a second; a small run takes as long as it needs for some faults.
RATE = 14.0
SHORTEST = 40.0
# Of all orders, how many ... (the rest: the opposite)
PLAIN = 0.5  # ... go to numbers whose messages are simply delivered
AGAIN = 0.15  # ... go to a number that had one a moment ago
INLINE = 0.1  # ... bring their content with them
DISCOVERS = 0.6  # ... ask for a discovery where the handset is not known
FORCED = 0.1  # ... of these, ask for it although it is
KNOWN = 0.3  # ... go to a number whose handset is known before the run
KEYED = 0.9  # ... have an idempotency-key
DOUBLED = 0.05  # ... of these, are repeated although they were answered
EXPIRES = 0.25  # ... expire soon after the run
RECENT = 40


class Door(StrEnum):
    """How a request is written."""

    SINCH = "Sinch XML"
    SKYCORE = "Skycore XML"
    GET = "GET"
    JSON = "JSON"


@dataclass(frozen=True, slots=True)
class Order:
    """One message: when it is sent, in seconds since the first, by which of the accounts, and how."""

    reference: str
    at: float
    account: int
    door: Door
    number: str
    known: bool
    inline: bool
    discovers: bool
    forced: bool
    keyed: bool
    doubled: bool
    expires: bool


def seconds(messages: int) -> float:
    """How long it takes to send so many."""
    return max(SHORTEST, messages / RATE)


def orders(seed: int, messages: int, accounts: int) -> list[Order]:
    """The orders by their moments, spread over the run."""
    random = Random(f"orders {seed}")  # noqa: S311 - to be repeated, not to be secret
    moments = sorted(random.uniform(0.0, seconds(messages)) for _ in range(messages))
    recent: list[str] = []
    made = []
    for position, at in enumerate(moments):
        number = random.choice(recent) if recent and random.random() < AGAIN else _number(random)
        recent = [*recent[-RECENT:], number]
        made.append(_order(random, f"chaos-{seed}-{position}", at, accounts, number))
    return made


def _number(random: Random) -> str:
    """A telephone in the United States; the last four digits choose handset and behaviour (numbers.py)."""
    behaviour = "00" if random.random() < PLAIN else random.choice(sorted(BEHAVIOURS))
    return f"1404{random.randrange(200, 1000)}{random.choice(sorted(HANDSETS))}{behaviour}"


def _order(random: Random, reference: str, at: float, accounts: int, number: str) -> Order:
    inline = random.random() < INLINE
    discovers = random.random() < DISCOVERS
    keyed = random.random() < KEYED
    return Order(
        reference=reference,
        at=round(at, 3),
        account=random.randrange(accounts),
        # By GET, no content can be stored.
        door=random.choice([door for door in Door if not (inline and door is Door.GET)]),
        number=number,
        # By the number, so that all orders to one agree.
        known=Random(number).random() < KNOWN,  # noqa: S311 - as above
        inline=inline,
        discovers=discovers,
        forced=discovers and random.random() < FORCED,
        keyed=keyed,
        doubled=keyed and random.random() < DOUBLED,
        expires=random.random() < EXPIRES,
    )
