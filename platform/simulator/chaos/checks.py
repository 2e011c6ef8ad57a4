"""Rules that hold at the end of every run, regardless of the faults. Each rule yields its breaches."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from simulator.chaos.customers import SendResult
from simulator.chaos.evidence import Entry, Evidence, MessageRecord
from simulator.chaos.outcomes import MATCHING_DELAY, MmscLog, explain_outcome, index_log, is_refused

DDM_CODES = ("N501", "E501", "N502", "E502")
# Valid postback codes for a discovery, and for a message by its status.
DISCOVERY_CODES = (("N501",), ("E501",), ("N501", "N502"), ("N501", "E502"))
STATUS_CODES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "delivered": (("N101", "N102"),),
    "expired": (("N101", "E102"),),
    "rejected": (("N101", "E102"),),
    "failed": (("E101",), ("N101", "E102")),
    "submitted": (("N101",),),
    "in_doubt": ((),),
    "accepted": ((),),
}
# Whether these will be submitted, and so charged, is not decided yet.
UNDECIDED = frozenset({"in_doubt", "accepted"})


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken rule: the affected message or other object, and the problem."""

    rule: str
    subject: str
    problem: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.problem}"


# Pairs of subject and problem.
Problems = Iterator[tuple[str, str]]


def find_breaches(evidence: Evidence) -> list[Breach]:
    """Return all breaches of the rules."""
    return [Breach(name, subject, problem) for name, rule in RULES.items() for subject, problem in rule(evidence)]


def check_accepts(evidence: Evidence) -> Problems:
    """Check that each acknowledged request has exactly one message, and each unanswered one at most one."""
    if not evidence.results or len(evidence.results) != evidence.expected:
        yield "customers", f"sent {len(evidence.results)} of {evidence.expected} requests"
    stored: dict[str, list[MessageRecord]] = defaultdict(list)
    for message in evidence.messages:
        stored[message.reference].append(message)
    for result in evidence.results:
        for problem in _accept_problems(result, stored.pop(result.reference, [])):
            yield result.reference, problem
    for reference, messages in stored.items():
        yield reference, f"{len(messages)} messages without a request"


def _accept_problems(result: SendResult, messages: Sequence[MessageRecord]) -> Iterator[str]:
    if result.unexpected_answer:
        yield f"unexpected answer: {result.unexpected_answer}"
    if len(messages) > 1:
        yield f"{len(messages)} messages"
    acknowledged, stored = set(result.tracking_ids), {message.tracking_id for message in messages}
    if acknowledged and acknowledged != stored:
        yield f"acknowledged as {', '.join(sorted(acknowledged))}, stored as {', '.join(sorted(stored)) or 'nothing'}"
    if result.error_code and not result.unanswered and not result.unavailable and messages:
        yield f"refused with {result.error_code}, but stored"


def check_outcomes(evidence: Evidence) -> Problems:
    """Check that the log of the MMSC explains the status of every message."""
    mmsc_log = index_log(evidence)
    for message in evidence.messages:
        if explain_outcome(message, mmsc_log, evidence.unmatched) is None:
            reports = mmsc_log.final_reports(message.transaction_id)
            reported = ", ".join(entry["mm_status"] for entry in reports) or "nothing"
            accepted = "accepted" if mmsc_log.message_id(message.transaction_id) else "not accepted"
            attempts = _join(message.outcomes)
            yield message.name, f"{message.status} after {attempts}; {accepted}, reported {reported}"


def check_submits(evidence: Evidence) -> Problems:
    """Check that nothing is submitted again that the MMSC may have accepted, and every submit has its attempt."""
    mmsc_log = index_log(evidence)
    attempts = {message.transaction_id: message.outcomes for message in evidence.messages} | dict(evidence.ddms)
    names = {message.transaction_id: message.name for message in evidence.messages}
    for transaction_id, entries in mmsc_log.submits.items():
        for problem in _submit_problems(entries, attempts.get(transaction_id, ())):
            yield names.get(transaction_id, transaction_id), problem


def _submit_problems(entries: Sequence[Entry], outcomes: Sequence[str]) -> Iterator[str]:
    repeated = [entry for entry in entries[:-1] if not is_refused(entry)]
    if repeated:
        first = entries.index(repeated[0]) + 1
        yield f"submitted {len(entries)} times, although the MMSC may have accepted attempt {first}"
    if len(entries) > len(outcomes):
        yield f"{len(entries)} submits, {len(outcomes)} attempts"


def check_discoveries(evidence: Evidence) -> Problems:
    """Check that no number gets a DDM during another discovery: its messages share one discovery."""
    mmsc_log = index_log(evidence)
    ddms = sorted((entries for entries in mmsc_log.submits.values() if entries[0].get("ddm")), key=_started_at)
    open_until: dict[str, tuple[datetime, str]] = {}  # number -> end of the discovery, and its transaction ID
    for submits in ddms:
        number, transaction_id, start = submits[0]["number"], submits[0]["transaction_id"], _started_at(submits)
        until, other = open_until.get(number, (start, ""))
        if start < until:
            yield number, f"{transaction_id} at {start}, although {other} was open until {until}"
        open_until[number] = max((until, other), (_discovery_end(submits, mmsc_log, evidence), transaction_id))


def _started_at(submits: Sequence[Entry]) -> datetime:
    return datetime.fromisoformat(submits[0]["at"])


def _discovery_end(submits: Sequence[Entry], mmsc_log: MmscLog, evidence: Evidence) -> datetime:
    """Return the end of a discovery: its deadline, or the MMSC's report or refusal if earlier."""
    start, number, transaction_id = _started_at(submits), submits[0]["number"], submits[0]["transaction_id"]
    waiting = [message for message in evidence.messages if f"discovery-{message.discovery}" == transaction_id]
    deadlines = [message.discovery_deadline for message in waiting if message.discovery_deadline]
    match evidence.ddms.get(transaction_id, ())[-1:]:
        case ("submitted",):
            entries = mmsc_log.final_reports(transaction_id)
        case ("in_doubt",):  # its report may be matched by the number alone
            entries = [entry for reports in mmsc_log.reports.values() for entry in reports if entry["number"] == number]
        case _:
            entries = [submits[-1]]
    # The platform may have applied the report before answering it.
    ends = [at - MATCHING_DELAY for entry in entries if (at := datetime.fromisoformat(entry["at"])) >= start]
    return min([max(deadlines, default=start), *ends])


def check_postbacks(evidence: Evidence) -> Problems:
    """Check that every postback is delivered in order, and that the postbacks match the message's status."""
    received = _received_postbacks(evidence.log)
    for message in evidence.messages:
        for problem in (*_code_problems(message), *_delivery_problems(message, received)):
            yield message.name, problem


@dataclass(frozen=True, slots=True)
class ReceivedPostback:
    """The first delivery of an event: its log entry, its position within the message, and its content."""

    seq: int
    position: str
    code: str
    tracking_id: str


def _received_postbacks(log: Sequence[Entry]) -> Mapping[str, ReceivedPostback]:
    first: dict[str, ReceivedPostback] = {}
    for entry in log:
        if entry["kind"] == "postback" and entry["status"] == 200:
            headers, body = _normalize(entry["headers"]), _normalize(entry["fields"])
            postback = ReceivedPostback(
                entry["seq"], headers["xmmssequence"], _sinch_code(body), body.get("trackingid", "")
            )
            first.setdefault(headers["xmmseventid"], postback)
    return first


def _sinch_code(body: Mapping[str, str]) -> str:
    """Return the code as in Sinch XML: other dialects send N102 or N103 for some undelivered messages."""
    code, undelivered = body.get("code", ""), body.get("status") in {"Message Sent/Expired", "Message Sent/Rejected"}
    return "E102" if undelivered and code in {"N102", "N103"} else code


def _normalize(fields: Mapping[str, Any]) -> dict[str, str]:
    """Normalize the field names of the different dialects."""
    return {name.lower().replace("-", "").replace("_", ""): str(value) for name, value in fields.items()}


def _code_problems(message: MessageRecord) -> Iterator[str]:
    codes = tuple(postback.code for postback in message.postbacks)
    discovery_codes = tuple(code for code in codes if code in DDM_CODES)
    content_codes = tuple(code for code in codes if code not in DDM_CODES)
    valid = DISCOVERY_CODES if message.discovery else ((),)
    if discovery_codes not in valid or content_codes not in STATUS_CODES.get(message.status, ()):
        yield f"{message.status}, but postbacks {_join(codes)}"
    elif discovery_codes and codes[0] != discovery_codes[0]:
        yield f"postback on the discovery after others: {_join(codes)}"


def _delivery_problems(message: MessageRecord, received: Mapping[str, ReceivedPostback]) -> Iterator[str]:
    stored = message.postbacks
    missing = [f"{row.code} is {row.status}" for row in stored if row.status != "taken" or row.event not in received]
    if missing:
        yield f"not received: {_join(missing)}"
        return
    codes = _join(row.code for row in stored)
    postbacks = [received[row.event] for row in stored]
    contents = [(postback.code, postback.tracking_id) for postback in postbacks]
    if contents != [(row.code, message.tracking_id) for row in stored]:
        yield f"received {_join(' of '.join(content) for content in contents)}, stored {codes}"
    if [postback.seq for postback in postbacks] != sorted(postback.seq for postback in postbacks):
        yield f"received out of order: {codes}"
    positions = [postback.position for postback in postbacks]
    if positions != [str(number) for number in range(1, len(stored) + 1)]:
        yield f"numbered {_join(positions)}"


def check_ledger(evidence: Evidence) -> Problems:
    """Check that balances match the ledger, messages are charged correctly, and no reservation is left over."""
    for difference in evidence.ledger_differences:
        yield "ledger", difference
    for message in evidence.messages:
        for problem in _charge_problems(message):
            yield message.name, problem
    yield from _ddm_charge_problems(evidence.messages)


def _charge_problems(message: MessageRecord) -> Iterator[str]:
    reserved = sum(line.reserved for line in message.lines)
    if reserved != (message.reserved if message.status in UNDECIDED else 0):
        yield f"{message.status}, but {reserved} of {message.reserved} is still reserved"
    charged, price = _charged(message), _price(message)
    if charged not in ({0} if message.status in UNDECIDED else {price, price + message.price_ddm}):
        yield f"{message.status}, charged {charged} instead of {price}, or {message.price_ddm} more with the DDM"


def _charged(message: MessageRecord) -> int:
    return -sum(line.balance for line in message.lines)


def _price(message: MessageRecord) -> int:
    """Return the price of the message without its DDM."""
    refunded = message.refunds and message.status in {"expired", "rejected", "failed"}
    return message.price if message.submitted and not refunded else 0


def _ddm_charge_problems(messages: Sequence[MessageRecord]) -> Problems:
    """Check that each submitted DDM is charged to one of its messages, and any other DDM to none.

    It may be charged to none if the message that opened the discovery did not wait any more when it was submitted.
    """
    by_discovery: dict[int | None, list[MessageRecord]] = defaultdict(list)
    for message in messages:
        by_discovery[message.discovery].append(message)
    for discovery, group in by_discovery.items():
        charged = sum(_charged(message) > _price(message) for message in group)
        undecided = sum(message.status in UNDECIDED for message in group)  # may be charged for the DDM later
        codes = {postback.code for message in group for postback in message.postbacks}
        expected = int(discovery is not None and "N501" in codes)
        waited = any(m.opened_discovery and "N501" in {postback.code for postback in m.postbacks} for m in group)
        if not expected * waited - undecided <= charged <= expected:
            names = ", ".join(message.name for message in group) if discovery else f"{len(group)} messages without DDM"
            yield names, f"DDM charged to {charged} messages instead of {expected}"


def _join(words: "Iterator[str] | Sequence[str]") -> str:
    return " ".join(words) or "nothing"


RULES: Mapping[str, Callable[[Evidence], Problems]] = {
    "accepts": check_accepts,
    "outcomes": check_outcomes,
    "submits": check_submits,
    "discoveries": check_discoveries,
    "postbacks": check_postbacks,
    "ledger": check_ledger,
}


def count_never_accepted(evidence: Evidence, mmsc_log: MmscLog) -> Mapping[str, int]:
    """Return the number of messages that were acknowledged to a customer and never accepted by the MMSC, by status."""
    acknowledged = {tracking_id for result in evidence.results for tracking_id in result.tracking_ids}
    never = [
        message.status
        for message in evidence.messages
        if message.tracking_id in acknowledged and mmsc_log.message_id(message.transaction_id) is None
    ]
    return {"all": len(never), **dict(Counter(never).most_common())}


def count_outcomes(evidence: Evidence, mmsc_log: MmscLog) -> Mapping[str, int]:
    """Return the number of messages by outcome, most frequent first."""
    counts: dict[str, int] = defaultdict(int)
    for message in evidence.messages:
        counts[explain_outcome(message, mmsc_log, evidence.unmatched) or f"{message.status}, NOT EXPLAINED"] += 1
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))
