"""The amount that an account can still spend. Reservations and low-balance notices share this one rule."""

from datetime import date, datetime
from typing import Any

from django.db import connection

from billing.models import Account

# SQL for an account `a` and its balance `b`, in micro-units; NULL if the account has no limit.
AVAILABLE = """CASE a.billing
    WHEN 'prepaid' THEN b.balance - b.reserved + a.credit_limit
    ELSE a.spend_limit - b.reserved - CASE WHEN b.month >= %(month)s THEN b.spent ELSE 0 END
END"""

OF_ACCOUNT = f"""
SELECT {AVAILABLE} FROM billing_account a JOIN billing_balance b ON b.account_id = a.id WHERE a.id = %(account)s
"""  # noqa: S608 - made of constants


def available_amount(account: Account, now: datetime) -> int | None:
    """Return what the account can still spend, in micro-units, or None if it has no limit or no bookings yet."""
    values: dict[str, Any] = {"account": account.pk, "month": first_of_month(now)}
    with connection.cursor() as cursor:
        cursor.execute(OF_ACCOUNT, values)
        found = cursor.fetchone()
    return found[0] if found else None


def first_of_month(at: datetime) -> date:
    """Return the first day of the time's month. The time must be in UTC."""
    return at.date().replace(day=1)
