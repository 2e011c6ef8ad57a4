"""What must be true at the end, whatever befell the platform. Each rule names what breaks it. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator.chaos.customers import Asked
from simulator.chaos.ends import MATCHED, Network, explained, network, refused
from simulator.chaos.evidence import Entry, Evidence, Story

DDM_CODES = ("N501", "E501", "N502", "E502")
# What a customer may have been told of a discovery, and of a message by its status.
OF_DISCOVERY = (("N501",), ("E501",), ("N501", "N502"), ("N501", "E502"))
OF_STATUS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "delivered": (("N101", "N102"),),
    "expired": (("N101", "E102"),),
    "rejected": (("N101", "E102"),),
    "failed": (("E101",), ("N101", "E102")),
    "submitted": (("N101",),),
    "in_doubt": ((),),
}


@dataclass(frozen=True, slots=True)
class Breach:
    """What is not as it must be: of which message (or other thing), and how."""

    rule: str
    what: str
    how: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}: {self.how}"


Found = Iterator[tuple[str, str]]


def breaches(evidence: Evidence) -> list[Breach]:
    """Everything that breaks a rule: none, or something is wrong."""
    return [Breach(name, what, how) for name, rule in RULES.items() for what, how in rule(evidence)]


def acknowledged(evidence: Evidence) -> Found:
    """Every acknowledged accept has its message, one for all repeats; what is not known has one at most."""
    if not evidence.asked or len(evidence.asked) != evidence.ordered:
        yield "the customers", f"sent {len(evidence.asked)} of {evidence.ordered} orders"
    stored: dict[str, list[Story]] = defaultdict(list)
    for story in evidence.stories:
        stored[story.reference].append(story)
    for asked in evidence.asked:
        for problem in _of_asked(asked, stored.pop(asked.reference, [])):
            yield asked.reference, problem
    for reference, stories in stored.items():
        yield reference, f"{len(stories)} messages that nobody asked for"


def _of_asked(asked: Asked, stories: Sequence[Story]) -> Iterator[str]:
    if asked.strange:
        yield f"an answer that is none: {asked.strange}"
    if len(stories) > 1:
        yield f"{len(stories)} messages"
    told, kept = set(asked.acknowledged), {story.tracking_id for story in stories}
    if told and told != kept:
        yield f"acknowledged as {', '.join(sorted(told))}, stored as {', '.join(sorted(kept)) or 'nothing'}"
    if asked.refused and not asked.unanswered and not asked.unavailable and stories:
        yield f"refused with {asked.refused}, and stored"


def ended(evidence: Evidence) -> Found:
    """Every message is final, or waits for what the MMSC will never say."""
    seen = network(evidence)
    for story in evidence.stories:
        if explained(story, seen, evidence.unmatched) is None:
            reports = ", ".join(entry["mm_status"] for entry in seen.ends(story.transaction)) or "nothing"
            taken = "taken" if seen.name(story.transaction) else "not taken"
            yield story.name, f"{story.status} after {_words(story.outcomes)}; {taken}, reported {reports}"


def submitted_once(evidence: Evidence) -> Found:
    """Nothing is submitted again that the MMSC may have, and nothing without its attempt."""
    seen = network(evidence)
    attempts = {story.transaction: story.outcomes for story in evidence.stories} | dict(evidence.ddms)
    names = {story.transaction: story.name for story in evidence.stories}
    for transaction, entries in seen.submits.items():
        for problem in _of_submits(entries, attempts.get(transaction, ())):
            yield names.get(transaction, transaction), problem


def _of_submits(entries: Sequence[Entry], outcomes: Sequence[str]) -> Iterator[str]:
    again = [entry for entry in entries[:-1] if not refused(entry)]
    if again:
        yield f"submitted {len(entries)} times, though the MMSC may have it since try {entries.index(again[0]) + 1}"
    if len(entries) > len(outcomes):
        yield f"{len(entries)} submits, {len(outcomes)} attempts"


def discovered_once(evidence: Evidence) -> Found:
    """No number is sent a DDM while the report of another is awaited: its messages share that one."""
    seen = network(evidence)
    ddms = sorted((entries for entries in seen.submits.values() if entries[0].get("ddm")), key=_began)
    awaited: dict[str, tuple[datetime, str]] = {}  # number -> until when, and by which DDM
    for submits in ddms:
        number, transaction, began = submits[0]["number"], submits[0]["transaction_id"], _began(submits)
        until, other = awaited.get(number, (began, ""))
        if began < until:
            yield number, f"{transaction} at {began}, though the report of {other} was awaited until {until}"
        awaited[number] = max((until, other), (_awaited_until(submits, seen, evidence), transaction))


def _began(submits: Sequence[Entry]) -> datetime:
    return datetime.fromisoformat(submits[0]["at"])


def _awaited_until(submits: Sequence[Entry], seen: Network, evidence: Evidence) -> datetime:
    """Until when a discovery was open: its deadline, or sooner the MMSC's word on the DDM."""
    began, number, transaction = _began(submits), submits[0]["number"], submits[0]["transaction_id"]
    waiting = [story for story in evidence.stories if f"discovery-{story.discovery}" == transaction]
    deadlines = [story.waits_until for story in waiting if story.waits_until]
    match evidence.ddms.get(transaction, ())[-1:]:
        case ("submitted",):
            words = seen.ends(transaction)
        case ("in_doubt",):  # a report on it may be matched by its number alone
            words = [entry for reports in seen.reports.values() for entry in reports if entry["number"] == number]
        case _:
            words = [submits[-1]]
    # It may have been applied before it was answered.
    said = [at - MATCHED for entry in words if (at := datetime.fromisoformat(entry["at"])) >= began]
    return min([max(deadlines, default=began), *said])


def told(evidence: Evidence) -> Found:
    """Every postback is taken, in the order of its message, and together they tell what became of it."""
    arrived = _arrivals(evidence.log)
    for story in evidence.stories:
        for problem in (*_of_story(story), *_of_delivery(story, arrived)):
            yield story.name, problem


@dataclass(frozen=True, slots=True)
class Arrival:
    """How an event was first taken: the number of the entry, the place in its message that it named, what it said."""

    seq: int
    place: str
    code: str
    tracking_id: str


def _arrivals(log: Sequence[Entry]) -> Mapping[str, Arrival]:
    first: dict[str, Arrival] = {}
    for entry in log:
        if entry["kind"] == "postback" and entry["status"] == 200:
            headers, body = _plain(entry["headers"]), _plain(entry["fields"])
            arrival = Arrival(entry["seq"], headers["xmmssequence"], _code(body), body.get("trackingid", ""))
            first.setdefault(headers["xmmseventid"], arrival)
    return first


def _code(body: Mapping[str, str]) -> str:
    """As Sinch XML has it: the other dialects say N102 or N103 of some that were not delivered, and the status what."""
    code, undelivered = body.get("code", ""), body.get("status") in {"Message Sent/Expired", "Message Sent/Rejected"}
    return "E102" if undelivered and code in {"N102", "N103"} else code


def _plain(named: Mapping[str, Any]) -> dict[str, str]:
    """By names as no dialect writes them, so that all dialects agree."""
    return {name.lower().replace("-", "").replace("_", ""): str(value) for name, value in named.items()}


def _of_story(story: Story) -> Iterator[str]:
    codes = tuple(told.code for told in story.told)
    of_discovery = tuple(code for code in codes if code in DDM_CODES)
    content = tuple(code for code in codes if code not in DDM_CODES)
    wanted = OF_DISCOVERY if story.discovery else ((),)
    if of_discovery not in wanted or content not in OF_STATUS.get(story.status, ()):
        yield f"{story.status}, told as {_words(codes)}"
    elif of_discovery and codes[0] != of_discovery[0]:
        yield f"told of its discovery after the rest: {_words(codes)}"


def _of_delivery(story: Story, arrived: Mapping[str, Arrival]) -> Iterator[str]:
    told = story.told
    missing = [f"{it.code} is {it.status}" for it in told if it.status != "taken" or it.event not in arrived]
    if missing:
        yield f"not received: {_words(missing)}"
        return
    arrivals = [arrived[it.event] for it in told]
    said = [(arrival.code, arrival.tracking_id) for arrival in arrivals]
    if said != [(it.code, story.tracking_id) for it in told]:
        yield f"received as {_words(' of '.join(each) for each in said)}, told as {_words(it.code for it in told)}"
    if [arrival.seq for arrival in arrivals] != sorted(arrival.seq for arrival in arrivals):
        yield f"received out of order: {_words(it.code for it in told)}"
    places = [arrival.place for arrival in arrivals]
    if places != [str(number) for number in range(1, len(told) + 1)]:
        yield f"numbered {_words(places)}"


def paid(evidence: Evidence) -> Found:
    """The balances are the ledger's; each message is charged what it cost; nothing stays reserved for what ended."""
    for difference in evidence.unproven:
        yield "the ledger", difference
    for story in evidence.stories:
        for problem in _of_lines(story):
            yield story.name, problem
    yield from _of_discoveries(evidence.stories)


def _of_lines(story: Story) -> Iterator[str]:
    held = sum(line.reserved for line in story.lines)
    if held != (story.reserved if story.status == "in_doubt" else 0):
        yield f"{story.status}, and {held} stays reserved of {story.reserved}"
    booked, cost = _booked(story), _cost(story)
    if booked not in ({0} if story.status == "in_doubt" else {cost, cost + story.price_ddm}):
        yield f"{story.status}, and {booked} is booked where it cost {cost}, or {story.price_ddm} more with the DDM"


def _booked(story: Story) -> int:
    return -sum(line.balance for line in story.lines)


def _cost(story: Story) -> int:
    """Without the DDM."""
    refunded = story.refunds and story.status in {"expired", "rejected", "failed"}
    return story.price if story.submitted and not refunded else 0


def _of_discoveries(stories: Sequence[Story]) -> Found:
    """A DDM is paid by one of those that were told of it, and one that nobody was told of by none."""
    shared: dict[int | None, list[Story]] = defaultdict(list)
    for story in stories:
        shared[story.discovery].append(story)
    for discovery, those in shared.items():
        payers = sum(_booked(story) > _cost(story) for story in those)
        undecided = sum(story.status == "in_doubt" for story in those)  # it pays at its end, if it is the one
        wanted = int(discovery is not None and any(told.code == "N501" for story in those for told in story.told))
        if not wanted - undecided <= payers <= wanted:
            names = ", ".join(story.name for story in those) if discovery else f"{len(those)} messages without DDM"
            yield names, f"{payers} paid for the DDM, where {wanted} had to"


def _words(words: "Iterator[str] | Sequence[str]") -> str:
    return " ".join(words) or "nothing"


RULES: Mapping[str, Callable[[Evidence], Found]] = {
    "acknowledged accepts": acknowledged,
    "ends": ended,
    "submits": submitted_once,
    "discoveries": discovered_once,
    "postbacks": told,
    "books": paid,
}


def ends(evidence: Evidence, seen: Network) -> Mapping[str, int]:
    """How many messages ended in which way."""
    counted: dict[str, int] = defaultdict(int)
    for story in evidence.stories:
        counted[explained(story, seen, evidence.unmatched) or f"{story.status}, NOT EXPLAINED"] += 1
    return dict(sorted(counted.items(), key=lambda pair: -pair[1]))
