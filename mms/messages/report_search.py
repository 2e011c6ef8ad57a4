"""Report search: find the attempt that a delivery report is about.

First by the MessageID (`mmsc_id`) under which the report's carrier accepted it. What is not found there is searched for
among the carriers that share its MMSC, since some MMSCs send all reports to one address, and with the MessageID in
brackets or quotes; and last, while no answer is under way, by the number. A match must be the only one possible.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from django.db.models import Exists, OuterRef, QuerySet

from base import sql
from mms.models import Attempt, Carrier, Discovery, Message, Report, Status
from mms.protocol.reports import FINAL

# Reports of expired messages are matched for this long: the MMSC may have been unable to reach us before.
LATE_REPORTS = timedelta(days=1)
MAYBE_ACCEPTED = (Attempt.Outcome.IN_DOUBT, Attempt.Outcome.SUBMITTED)


ATTEMPT_FIELDS = ("id", "message_id", "discovery_id", "carrier_id", "mmsc_id")  # in the model's order
# `mmsc_id <> ''` allows the use of the partial index. The numbers are subqueries, because a prepared plan for a join
# could read the whole table of messages.
ATTEMPTS_BY_MMSC_ID = f"""
SELECT {", ".join(ATTEMPT_FIELDS)}, COALESCE(
    (SELECT number FROM mms_message WHERE id = message_id), (SELECT number FROM mms_discovery WHERE id = discovery_id)
)
FROM mms_attempt WHERE carrier_id = ANY(%s) AND mmsc_id = ANY(%s) AND mmsc_id <> ''
ORDER BY id
"""  # noqa: S608 - made of constants

# What MMSCs write around a MessageID, in the answer to the submit or in the report.
WRAPPED = re.compile(r"""[\s<"']*(.*?)[\s>"']*""", re.DOTALL)
WRAPPINGS = ("{}", "<{}>", '"{}"', "'{}'")

MmscId: TypeAlias = tuple[int, str]  # primary key of the carrier, MessageID


@dataclass(frozen=True, slots=True)
class KnownAttempt:
    """An attempt with its MMSC's MessageID, and the recipient's number."""

    attempt: Attempt
    number: str


def known(attempt: Attempt) -> KnownAttempt:
    """Return the attempt with its number."""
    sent = attempt.message or attempt.discovery
    return KnownAttempt(attempt, sent.number if sent else "")


def by_mmsc_id(ids: Iterable[MmscId]) -> dict[MmscId, KnownAttempt]:
    """Return the attempt of each carrier and MessageID, the latest if the MMSC has reused the MessageID.

    Two more statements if there is none: of another carrier with the same MMSC, or with the MessageID wrapped
    otherwise.
    """
    wanted = {(carrier, mmsc_id) for carrier, mmsc_id in ids if mmsc_id}
    found = _read(wanted)
    missing = wanted - found.keys()
    return {key: found[key] for key in wanted & found.keys()} | (_found_elsewhere(missing) if missing else {})


def columns(ids: Iterable[MmscId]) -> list[list[Any]]:
    """Return the carriers and the MessageIDs as two lists."""
    carriers, mmsc_ids = zip(*ids, strict=True)
    return [list(set(carriers)), list(mmsc_ids)]


def _read(ids: Collection[MmscId]) -> dict[MmscId, KnownAttempt]:
    """Return the attempts with any of these carriers and any of these MessageIDs."""
    found = sql.fetch_rows(ATTEMPTS_BY_MMSC_ID, columns(ids)) if ids else []
    attempts = ((Attempt.from_db(None, ATTEMPT_FIELDS, values), number) for *values, number in found)
    return {(attempt.carrier_id, attempt.mmsc_id): KnownAttempt(attempt, number) for attempt, number in attempts}


def _found_elsewhere(missing: Collection[MmscId]) -> dict[MmscId, KnownAttempt]:
    sharing = carriers_of_same_mmsc()
    possible = {key: set(product(sharing[key[0]], spellings(key[1]))) for key in missing}
    read = _read(set().union(*possible.values()))
    hits = {key: [read[each] for each in possible[key] if each in read] for key in missing}
    return {key: found[0] for key, found in hits.items() if len(found) == 1}


def carriers_of_same_mmsc() -> dict[int, set[int]]:
    """Return for each carrier those that share its MMSC, itself included: same host and port, and the same VASPID."""
    carriers = {
        key: (_server(url), vaspid) for key, url, vaspid in Carrier.objects.values_list("pk", "mmsc_url", "vaspid")
    }
    by_mmsc: dict[object, set[int]] = defaultdict(set)
    for key, mmsc in carriers.items():
        by_mmsc[mmsc].add(key)
    return {key: by_mmsc[mmsc] if mmsc[0][0] else {key} for key, mmsc in carriers.items()}


def _server(url: str) -> tuple[str, int | None]:
    """Return host and port; "" for the host of an address that is none."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return "", None


def _bare(mmsc_id: str) -> str:
    """Return the MessageID without brackets and quotes."""
    found = WRAPPED.fullmatch(mmsc_id)
    return found[1] if found else mmsc_id


def spellings(mmsc_id: str) -> set[str]:
    """Return the MessageID without and with brackets and quotes."""
    bare = _bare(mmsc_id)
    return {wrapping.format(bare) for wrapping in WRAPPINGS} if bare else {mmsc_id}


def finds(mmsc_id: str, attempt: Attempt) -> bool:
    """Return whether a search by this MessageID finds the attempt."""
    return _bare(mmsc_id) == _bare(attempt.mmsc_id)


def search(report: Report) -> KnownAttempt | None:
    """Return the attempt of a report whose MessageID no attempt had a moment ago, or None."""
    carriers = carriers_of_same_mmsc()[report.carrier_id]
    # In this order: an attempt that completes after the first query has its MessageID by the second.
    sending = _is_being_sent_to(report, carriers)
    mmsc_id = report.carrier_id, report.mmsc_id
    if found := by_mmsc_id([mmsc_id]).get(mmsc_id):
        return found
    attempt = None if sending else _only_possible_attempt(report, carriers)
    return KnownAttempt(attempt, report.number) if attempt else None


def _is_being_sent_to(report: Report, carriers: Collection[int]) -> bool:
    """Return whether a message or DDM is being sent to the report's number, which it may be about."""
    to_number = {"carrier__in": carriers, "number": report.number}
    return any(m._default_manager.filter(**to_number, status=Status.SENDING).exists() for m in (Message, Discovery))


def _only_possible_attempt(report: Report, carriers: Collection[int]) -> Attempt | None:
    """Return the only attempt to the report's number that it can be about, or None.

    Candidates are in doubt, or were accepted and still await a final report, some of them expired. The only one with
    the report's MessageID in another case is matched. One that the MMSC accepted under another MessageID makes the
    match ambiguous, since it may be that one, too, but is never matched. One without a MessageID that is matched gets
    the report's, so that later reports find it.
    """
    candidates = [*_possible_attempts(report, "message", carriers), *_possible_attempts(report, "discovery", carriers)]
    same_id = [each for each in candidates if each.mmsc_id and _folded(each.mmsc_id) == _folded(report.mmsc_id)]
    if len(same_id) == 1:
        return same_id[0]
    if len(candidates) != 1 or candidates[0].mmsc_id:
        return None
    [attempt] = candidates
    # Conditional, since another worker may be giving it the MessageID of another report.
    without_id = Attempt.objects.filter(pk=attempt.pk, mmsc_id="")
    return attempt if without_id.update(mmsc_id=report.mmsc_id) else None


def _folded(mmsc_id: str) -> str:
    return _bare(mmsc_id).casefold()


def _possible_attempts(report: Report, sent: str, carriers: Collection[int]) -> QuerySet[Attempt]:
    """Return the attempts (`sent`: message or discovery) to the report's number that still await a final report."""
    to_number = {f"{sent}__carrier__in": carriers, f"{sent}__number": report.number}
    may_report = {f"{sent}__expires_at__gt": report.received_at - LATE_REPORTS, "started_at__lte": report.received_at}
    attempts = Attempt.objects.filter(**to_number, **may_report, outcome__in=MAYBE_ACCEPTED)
    final = Report.objects.filter(attempt=OuterRef("pk"), status__in=FINAL)
    return attempts.exclude(Exists(final))
