"""Low-balance notices: find accounts below their threshold, store one notice each, and send it by e-mail.

A periodic task checks the accounts, within a minute, so that accepting a message costs nothing extra. The balance
records that a notice was written. The next one follows after a top-up or a change of the account's limits has lifted
the account above its threshold, or, for a postpaid account, in the next month.
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

# Called with each new notice, in the transaction that stores it.
OnNotice: TypeAlias = Callable[[LowBalanceNotice], object]

log = structlog.get_logger()

RETRY_SCHEDULE = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))
# How long a worker may take to send one notice before another may claim it.
LEASE = timedelta(minutes=5)

BELOW_THRESHOLD = f"""b.account_id = a.id AND {AVAILABLE} < a.low_balance_at
    AND (b.low_since IS NULL OR a.billing = 'postpaid' AND b.low_since < %(month)s)"""
FIND_ACCOUNTS = f"SELECT a.id FROM billing_account a, billing_balance b WHERE {BELOW_THRESHOLD}"  # noqa: S608 - made of constants
MARK_LOW = f"""
UPDATE billing_balance b SET low_since = %(now)s FROM billing_account a WHERE {BELOW_THRESHOLD} AND a.id = %(account)s
RETURNING {AVAILABLE}, a.low_balance_at, a.billing_email
"""  # noqa: S608
REARM = f"""
UPDATE billing_balance b SET low_since = NULL FROM billing_account a
WHERE a.id = b.account_id AND a.id = %(account)s AND b.low_since IS NOT NULL
    AND COALESCE({AVAILABLE} >= a.low_balance_at, TRUE)
"""  # noqa: S608


def write_notices(now: datetime, on_notice: OnNotice | None = None) -> int:
    """Store a notice for each account that has newly fallen below its threshold, and return their count."""
    with connection.cursor() as cursor:
        cursor.execute(FIND_ACCOUNTS, {"month": first_of_month(now)})
        accounts = [account for (account,) in cursor.fetchall()]
    # One transaction each: locking several balances here could deadlock with the ledger.
    return sum(_write_notice(account, now, on_notice) for account in accounts)


def _write_notice(account: int, now: datetime, on_notice: OnNotice | None) -> bool:
    """Store the notice, unless another worker did in the meantime. Return whether this call stored it."""
    values: dict[str, Any] = {"account": account, "month": first_of_month(now), "now": now}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MARK_LOW, values)
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
    """Allow the next notice if the account is above its threshold now."""
    with connection.cursor() as cursor:
        cursor.execute(REARM, {"account": account.pk, "month": first_of_month(now)})


def send_notices(now: datetime) -> None:
    """Send the due notices by e-mail, each at least once. Failed ones are retried after the steps of RETRY_SCHEDULE."""
    while notice := _claim(now):
        try:
            send_mail(f"Low balance: {notice.account}", email_body(notice), settings.DEFAULT_FROM_EMAIL, [notice.email])
        except (OSError, ValueError) as problem:  # from the connection or SMTP; from a header
            _record_failure(notice, f"{type(problem).__name__}: {problem}"[:300], now)
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


def _record_failure(notice: LowBalanceNotice, problem: str, now: datetime) -> None:
    log.warning("low-balance notice not sent", account=notice.account.name, problem=problem)
    steps = RETRY_SCHEDULE[notice.tries - 1 : notice.tries]
    notice.due_at, notice.problem = (now + steps[0] if steps else None), problem
    notice.save(update_fields=["due_at", "problem"])


def email_body(notice: LowBalanceNotice) -> str:
    """Return the body of the e-mail."""
    prepaid = notice.account.billing == Account.Billing.PREPAID
    advice = "Top up the account" if prepaid else "Ask for a higher spend limit"
    return f"{summary(notice)}\n\nMessages that it cannot pay for are refused (E713). {advice} to avoid this.\n"


def summary(notice: LowBalanceNotice) -> str:
    """Return one sentence for the customer: the available amount and the threshold."""
    account = notice.account
    available = format_amount(notice.available, account.currency)
    threshold = format_amount(notice.low_balance_at, account.currency)
    return f"The account {account} has {available} available, less than its low-balance threshold of {threshold}."
