"""The dashboard: current figures of the platform. Their cost does not grow with the size of the tables."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from billing.models import Balance, Proof
from handsets.models import Handset
from mms.admin import masking
from mms.admin.tables import Row, Table, label, link, no_wrap, timestamp
from mms.models import Discovery, Message, Postback, Report, Status
from mms.observation import backlog, unmatched

# Figures of a period look at this many of the newest rows. Other counts stop at this number.
MAX_COUNTED = 100_000
LATEST_MESSAGES = 10


@dataclass(frozen=True, slots=True)
class Card:
    """A figure with its title, a note, and a link to the rows that it counts."""

    title: str
    figure: str
    note: str = ""
    href: str = ""
    is_alarming: bool = False


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Return the template context of the dashboard, with the figures of the operator's role."""
    has_perm, now = request.user.has_perm, timezone.now()
    if has_perm("mms.view_message"):
        statuses = _messages_today(now)
        tables = (
            _status_table(statuses),
            _latest_table(str if masking.may_see_numbers(request) else masking.mask_number),
        )
        return {**context, "cards": _traffic_cards(statuses, now), "tables": tables}
    money = _money_cards(now) if has_perm("billing.view_ledgerentry") else []
    handsets = _handset_cards() if has_perm("handsets.view_handset") else []
    return {**context, "cards": money + handsets}


def _money_cards(now: datetime) -> list[Card]:
    low = _count_up_to_limit(Balance.objects.filter(low_since__isnull=False))
    last = Proof.objects.order_by("pk").last()
    differing = last.accounts if last else 0
    reconciled = f"at the reconciliation {timesince(last.at, now)} ago" if last else "not reconciled yet"
    notices = reverse("admin:billing_lowbalancenotice_changelist")
    return [
        Card("Accounts with a low balance", _format_count(low), "available amount below their threshold", notices),
        Card(
            "Balances that differ from the ledger",
            _format_count(differing) if last else "-",
            reconciled,
            is_alarming=differing > 0,
        ),
    ]


def _handset_cards() -> list[Card]:
    without_profile = _count_up_to_limit(Handset.objects.filter(profile=None))
    handsets = f"{reverse('admin:handsets_handset_changelist')}?profile__isempty=1"
    return [Card("Handsets without a profile", _format_count(without_profile), "the generic profile applies", handsets)]


def _traffic_cards(statuses: dict[str, int], now: datetime) -> list[Card]:
    in_doubt = _count_up_to_limit(Message.objects.filter(status=Status.IN_DOUBT, due_at__isnull=False))
    return [
        Card("Messages today", _format_count(sum(statuses.values())), "since midnight, UTC", _list_url("message")),
        _oldest_due(now),
        _waiting_postbacks(),
        _answer_rate(now),
        Card(
            "In doubt",
            _format_count(in_doubt),
            "awaiting a report",
            f"{_list_url('message')}?status=in_doubt",
            in_doubt > 0,
        ),
        _unmatched_reports(now),
    ]


def _unmatched_reports(now: datetime) -> Card:
    """Return the number of unmatched reports, with the likely reason of the latest ones."""
    count = _count_up_to_limit(Report.objects.filter(attempt=None))
    reasons = unmatched.likely_reasons(now)
    note = f"likely: {reasons[0][0].text}" if reasons else "no matching attempt yet"
    return Card("Unmatched reports", _format_count(count), note, f"{_list_url('report')}?match=no", bool(reasons))


def _list_url(model: str) -> str:
    return reverse(f"admin:mms_{model}_changelist")


def _format_count(number: int) -> str:
    return f"{number:,}" if number < MAX_COUNTED else f"{MAX_COUNTED:,}+"


def _count_up_to_limit(rows: QuerySet[Any]) -> int:
    return rows.order_by()[:MAX_COUNTED].count()


def _newest(model: type[Model]) -> QuerySet[Any]:
    """Return the newest rows by primary key, because there is no index on the creation time."""
    last = model._default_manager.aggregate(last=Max("pk"))["last"] or 0
    return model._default_manager.filter(pk__gt=last - MAX_COUNTED)


def _messages_today(now: datetime) -> dict[str, int]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = _newest(Message).filter(created_at__gte=midnight)
    counts = today.order_by().values_list("status").annotate(messages=Count("pk"))
    return dict(counts)


def _status_table(statuses: dict[str, int]) -> Table:
    rows = [Row((label(status), f"{statuses[status]:,}")) for status in Status if status in statuses]
    return Table("Today's messages by status", ("Status", "Messages"), rows)


def _latest_table(format_number: Callable[[str], str]) -> Table:
    newest = Message.objects.select_related("account").order_by("-pk")[:LATEST_MESSAGES]
    rows = [
        Row((link(m), no_wrap(format_number(m.number)), link(m.account), label(m.status), timestamp(m.created_at)))
        for m in newest
    ]
    return Table("Latest messages", ("Tracking ID", "Number", "Account", "Status", "Created"), rows)


def _oldest_due(now: datetime) -> Card:
    """Return how long the oldest due row has waited for a worker: normally a few seconds."""
    oldest = min((due.oldest for due in backlog.due(now) if due.oldest), default=None)
    if oldest is None:
        return Card("Oldest due row", "none", "no row waits for a worker")
    delay = now - oldest
    figure = f"{delay.total_seconds():.0f} s" if delay < timedelta(minutes=1) else timesince(oldest, now)
    return Card("Oldest due row", figure, "waiting for a worker", is_alarming=delay > timedelta(minutes=1))


def _waiting_postbacks() -> Card:
    waiting = _count_up_to_limit(Postback.objects.filter(due_at__isnull=False))
    pending = f"{_list_url('postback')}?status=pending"
    return Card("Postbacks waiting", _format_count(waiting), "due now or later", pending)


def _answer_rate(now: datetime) -> Card:
    """Return the share of the discoveries ended in the last 24 hours that a report answered."""
    ended = _newest(Discovery).filter(created_at__gte=now - timedelta(days=1), due_at=None)
    counts = ended.aggregate(all=Count("pk"), answered=Count("pk", filter=Q(answered_at__isnull=False)))
    rate = f"{counts['answered'] / counts['all']:.0%}" if counts["all"] else "-"
    note = f"{counts['answered']:,} of {counts['all']:,} in 24 hours"
    return Card("Discoveries answered", rate, note, _list_url("discovery"))
