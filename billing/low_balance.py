"""Low-balance notices: one a fall, written as a row and sent by e-mail from there.

The look is a sweep's and not an accept's: an account is noticed within a minute, and its messages do not pay for it.
What it found is remembered on the balance until a top-up, or a change of the account's limits, lifts the account above
its mark again; for a postpaid account, until the month ends.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection, transaction

from billing.amounts import format_amount
from billing.available import AVAILABLE, first_of_month
from billing.models import Account, LowBalanceNotice

# Tells of a notice in another way, in the transaction that writes it.
OnNotice: TypeAlias = Callable[[LowBalanceNotice], object]

log = structlog.get_logger()

RETRY_LADDER = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
# What a worker is given to send one notice; after that another one takes it.
LEASE = timedelta(minutes=5)

FALLEN = f"""b.account_id = a.id AND {AVAILABLE} < a.low_balance_at
    AND (b.low_since IS NULL OR a.billing = 'postpaid' AND b.low_since < %(month)s)"""
FIND = f"SELECT a.id FROM billing_account a, billing_balance b WHERE {FALLEN}"  # noqa: S608 - made of constants
NOTICE = f"""
UPDATE billing_balance b SET low_since = %(now)s FROM billing_account a WHERE {FALLEN} AND a.id = %(account)s
RETURNING {AVAILABLE}, a.low_balance_at, a.billing_email
"""  # noqa: S608
REARM = f"""
UPDATE billing_balance b SET low_since = NULL FROM billing_account a
WHERE a.id = b.account_id AND a.id = %(account)s AND b.low_since IS NOT NULL
    AND COALESCE({AVAILABLE} >= a.low_balance_at, TRUE)
"""  # noqa: S608


def write_notices(now: datetime, on_notice: OnNotice | None = None) -> int:
    """Writes a notice for every account that has fallen below its mark since it was last above; how many."""
    with connection.cursor() as cursor:
        cursor.execute(FIND, {"month": first_of_month(now)})
        fallen = [account for (account,) in cursor.fetchall()]
    # Each in a transaction of its own: nobody holds two balances in an order that others do not keep.
    return sum(_notice(account, now, on_notice) for account in fallen)


def _notice(account: int, now: datetime, on_notice: OnNotice | None) -> bool:
    """Whether this call was the one that noticed: of two workers, the second finds the mark of the first."""
    values: dict[str, Any] = {"account": account, "month": first_of_month(now), "now": now}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(NOTICE, values)
        found = cursor.fetchone()
        if found:
            available, low_balance_at, email = found
            notice = LowBalanceNotice.objects.create(
                account_id=account,
                available=available,
                low_balance_at=low_balance_at,
                email=email,
                created_at=now,
                due_at=now if email else None,
            )
            if on_notice:
                on_notice(notice)
    return bool(found)


def rearm(account: Account, now: datetime) -> None:
    """Lets the next fall be noticed, if the account is above its mark now."""
    with connection.cursor() as cursor:
        cursor.execute(REARM, {"account": account.pk, "month": first_of_month(now)})


def send_notices(now: datetime) -> None:
    """Sends the notices that are due, each at least once; what a mail server refuses is tried again by the ladder."""
    while notice := _claim(now):
        try:
            send_mail(f"Low balance: {notice.account}", email_body(notice), settings.DEFAULT_FROM_EMAIL, [notice.email])
        except (OSError, ValueError) as problem:  # of the connection or SMTP; of a header
            _failed(notice, f"{type(problem).__name__}: {problem}"[:300], now)
        else:
            notice.sent_at, notice.due_at, notice.problem = now, None, ""
            notice.save(update_fields=["sent_at", "due_at", "problem"])


def _claim(now: datetime) -> LowBalanceNotice | None:
    with transaction.atomic():
        due = LowBalanceNotice.objects.select_for_update(skip_locked=True, of=("self",)).select_related("account")
        notice = due.filter(due_at__lte=now).order_by("due_at").first()
        if notice:
            notice.due_at, notice.tries = now + LEASE, notice.tries + 1
            notice.save(update_fields=["due_at", "tries"])
    return notice


def _failed(notice: LowBalanceNotice, problem: str, now: datetime) -> None:
    log.warning("a low-balance notice was not sent", account=notice.account.name, problem=problem)
    steps = RETRY_LADDER[notice.tries - 1 : notice.tries]
    notice.due_at, notice.problem = (now + steps[0] if steps else None), problem
    notice.save(update_fields=["due_at", "problem"])


def email_body(notice: LowBalanceNotice) -> str:
    """The body of the e-mail."""
    prepaid = notice.account.billing == Account.Billing.PREPAID
    advice = "Top up the account" if prepaid else "Ask for a higher spend limit"
    return f"{summary(notice)}\n\nWhen nothing is left, messages are refused (E713). {advice} before that.\n"


def summary(notice: LowBalanceNotice) -> str:
    """What has happened, in the customer's words."""
    account = notice.account
    left, mark = (
        format_amount(notice.available, account.currency),
        format_amount(notice.low_balance_at, account.currency),
    )
    return f"The account {account} has {left} left to spend, less than the {mark} at which it asked to be told."
