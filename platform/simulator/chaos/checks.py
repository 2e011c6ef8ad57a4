"""What must be true at the end, whatever befell the platform. Each rule names what breaks it. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from simulator.chaos.customers import Asked
from simulator.chaos.ends import Network, explained, network, refused
from simulator.chaos.evidence import Entry, Evidence, Story, Told

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


def told(evidence: Evidence) -> Found:
    """Every postback is taken, in the order of its message, and together they tell what became of it."""
    arrived = _arrivals(evidence.log)
    for story in evidence.stories:
        for problem in (*_of_story(story), *_of_delivery(story.told, arrived)):
            yield story.name, problem


def _arrivals(log: Sequence[Entry]) -> Mapping[str, tuple[int, str]]:
    """When each event was first taken (by the number of the entry), and the place in its message that it named."""
    first: dict[str, tuple[int, str]] = {}
    for entry in log:
        if entry["kind"] == "postback" and entry["status"] == 200:
            headers = {name.lower(): value for name, value in entry["headers"].items()}
            first.setdefault(headers["x-mms-event-id"], (entry["seq"], headers["x-mms-sequence"]))
    return first


def _of_story(story: Story) -> Iterator[str]:
    codes = tuple(told.code for told in story.told)
    of_discovery = tuple(code for code in codes if code in DDM_CODES)
    content = tuple(code for code in codes if code not in DDM_CODES)
    wanted = OF_DISCOVERY if story.discovery else ((),)
    if of_discovery not in wanted or content not in OF_STATUS.get(story.status, ()):
        yield f"{story.status}, told as {_words(codes)}"
    elif of_discovery and codes[0] != of_discovery[0]:
        yield f"told of its discovery after the rest: {_words(codes)}"


def _of_delivery(told: Sequence[Told], arrived: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    missing = [f"{it.code} is {it.status}" for it in told if it.status != "taken" or it.event not in arrived]
    if missing:
        yield f"not received: {_words(missing)}"
        return
    arrivals = [arrived[it.event] for it in told]
    if arrivals != sorted(arrivals):
        yield f"received out of order: {_words(it.code for it in told)}"
    places = [place for _, place in arrivals]
    if places != [str(number) for number in range(1, len(told) + 1)]:
        yield f"numbered {_words(places)}"


def paid(evidence: Evidence) -> Found:
    """The balances are the ledger's; each message is charged what it cost; nothing stays reserved for what ended."""
    for difference in evidence.unproven:
        yield "the ledger", difference
    for story in evidence.stories:
        for problem in _of_lines(story):
            yield story.name, problem


def _of_lines(story: Story) -> Iterator[str]:
    held = sum(line.reserved for line in story.lines)
    if held != (story.reserved if story.status == "in_doubt" else 0):
        yield f"{story.status}, and {held} stays reserved of {story.reserved}"
    cost = (story.price if story.submitted else 0) + story.price_ddm
    if story.refunds and story.submitted and story.status in {"expired", "rejected", "failed"}:
        cost -= story.price
    booked = -sum(line.balance for line in story.lines)
    if booked != (0 if story.status == "in_doubt" else cost):
        yield f"{story.status}, and {booked} is booked where it cost {cost}"


def _words(words: "Iterator[str] | Sequence[str]") -> str:
    return " ".join(words) or "nothing"


RULES: Mapping[str, Callable[[Evidence], Found]] = {
    "acknowledged accepts": acknowledged,
    "ends": ended,
    "submits": submitted_once,
    "postbacks": told,
    "books": paid,
}


def ends(evidence: Evidence, seen: Network) -> Mapping[str, int]:
    """How many messages ended in which way."""
    counted: dict[str, int] = defaultdict(int)
    for story in evidence.stories:
        counted[explained(story, seen, evidence.unmatched) or f"{story.status}, NOT EXPLAINED"] += 1
    return dict(sorted(counted.items(), key=lambda pair: -pair[1]))
