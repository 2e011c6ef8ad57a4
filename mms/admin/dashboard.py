"""The console's first page: how the platform is doing now. Every figure costs the same however large the tables are."""

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
from mms.admin.tables import Row, Table, label, link, moment, unbroken
from mms.models import Discovery, Message, Postback, Report, Status
from mms.observation import backlog

# Figures over a time are counted among so many of the newest rows at most; a backlog is counted no further.
MOST = 100_000
LATEST = 10


@dataclass(frozen=True, slots=True)
class Card:
    """One figure, what it is about, and the list behind it."""

    title: str
    figure: str
    note: str = ""
    href: str = ""
    alarming: bool = False


def context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the template of the first page shows: to each group of operators what it works with."""
    may, now = request.user.has_perm, timezone.now()
    if may("mms.view_message"):
        statuses = _today(now)
        tables = (_by_status(statuses), _latest(str if masking.may_see(request) else masking.masked))
        return {**context, "cards": _cards(statuses, now), "tables": tables}
    money = _money(now) if may("billing.view_ledgerentry") else []
    return {**context, "cards": money + (_handsets() if may("handsets.view_handset") else [])}


def _money(now: datetime) -> list[Card]:
    low = _counted(Balance.objects.filter(low_since__isnull=False))
    last = Proof.objects.order_by("pk").last()
    differing = last.accounts if last else 0
    proven = f"in the proof of {timesince(last.at, now)} ago" if last else "never proven yet"
    notices = reverse("admin:billing_lowbalancenotice_changelist")
    return [
        Card("Accounts low on funds", _amount(low), "less is left than they asked to be told at", notices),
        Card("Accounts whose books differ", _amount(differing) if last else "-", proven, alarming=differing > 0),
    ]


def _handsets() -> list[Card]:
    unmatched = _counted(Handset.objects.filter(profile=None))
    handsets = f"{reverse('admin:handsets_handset_changelist')}?profile__isempty=1"
    return [Card("Handsets without a profile", _amount(unmatched), "get what the generic profile says", handsets)]


def _cards(statuses: dict[str, int], now: datetime) -> list[Card]:
    doubtful = _counted(Message.objects.filter(status=Status.IN_DOUBT, due_at__isnull=False))
    unmatched = _counted(Report.objects.filter(attempt=None))
    return [
        Card("Messages today", _amount(sum(statuses.values())), "since midnight, UTC", _list("message")),
        _oldest_due(now),
        _waiting_postbacks(),
        _answer_rate(now),
        Card("In doubt", _amount(doubtful), "waiting for a word", f"{_list('message')}?status=in_doubt", doubtful > 0),
        Card("Unmatched reports", _amount(unmatched), "name nothing we sent", f"{_list('report')}?match=no"),
    ]


def _list(model: str) -> str:
    return reverse(f"admin:mms_{model}_changelist")


def _amount(number: int) -> str:
    return f"{number:,}" if number < MOST else f"{MOST:,}+"


def _counted(rows: QuerySet[Any]) -> int:
    return rows.order_by()[:MOST].count()


def _newest(model: type[Model]) -> QuerySet[Any]:
    """The newest rows, found by primary key: there is no index over the time at which they were created."""
    last = model._default_manager.aggregate(last=Max("pk"))["last"] or 0
    return model._default_manager.filter(pk__gt=last - MOST)


def _today(now: datetime) -> dict[str, int]:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    today = _newest(Message).filter(created_at__gte=midnight)
    counted = today.order_by().values_list("status").annotate(messages=Count("pk"))
    return dict(counted)


def _by_status(statuses: dict[str, int]) -> Table:
    rows = [Row((label(status), f"{statuses[status]:,}")) for status in Status if status in statuses]
    return Table("Today's messages by status", ("Status", "Messages"), rows)


def _latest(shown: Callable[[str], str]) -> Table:
    newest = Message.objects.select_related("account").order_by("-pk")[:LATEST]
    rows = [
        Row((link(m), unbroken(shown(m.number)), link(m.account), label(m.status), moment(m.created_at)))
        for m in newest
    ]
    return Table("Latest messages", ("Tracking id", "Number", "Account", "Status", "Created"), rows)


def _oldest_due(now: datetime) -> Card:
    """How long the row that is due for the longest waits for a worker: seconds, unless something is wrong."""
    oldest = min((due.oldest for due in backlog.due(now) if due.oldest), default=None)
    if oldest is None:
        return Card("Oldest due row", "none", "nothing waits for a worker")
    late = now - oldest
    figure = f"{late.total_seconds():.0f} s" if late < timedelta(minutes=1) else timesince(oldest, now)
    return Card("Oldest due row", figure, "waits for a worker", alarming=late > timedelta(minutes=1))


def _waiting_postbacks() -> Card:
    waiting = _counted(Postback.objects.filter(due_at__isnull=False))
    pending = f"{_list('postback')}?status=pending"
    return Card("Postbacks waiting", _amount(waiting), "due now or to be tried again", pending)


def _answer_rate(now: datetime) -> Card:
    """Of the discoveries of a day that are over, those that a report answered."""
    over = _newest(Discovery).filter(created_at__gte=now - timedelta(days=1), due_at=None)
    counted = over.aggregate(all=Count("pk"), answered=Count("pk", filter=Q(answered_at__isnull=False)))
    rate = f"{counted['answered'] / counted['all']:.0%}" if counted["all"] else "-"
    note = f"{counted['answered']:,} of {counted['all']:,} in 24 hours"
    return Card("Discoveries answered", rate, note, _list("discovery"))
