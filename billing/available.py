"""What an account may still spend: the one rule by which a message is refused and a low balance noticed."""

from datetime import date, datetime
from typing import Any

from django.db import connection

from billing.models import Account

# SQL over an account `a` and its balance `b`, in micro-units; NULL where nothing limits the account.
AVAILABLE = """CASE a.billing
    WHEN 'prepaid' THEN b.balance - b.reserved + a.credit_limit
    ELSE a.spend_limit - b.reserved - CASE WHEN b.month >= %(month)s THEN b.spent ELSE 0 END
END"""

OF_ACCOUNT = f"""
SELECT {AVAILABLE} FROM billing_account a JOIN billing_balance b ON b.account_id = a.id WHERE a.id = %(account)s
"""  # noqa: S608 - made of constants


def available_amount(account: Account, now: datetime) -> int | None:
    """What the account may still spend, in micro-units; None where nothing limits it or nothing was booked yet."""
    values: dict[str, Any] = {"account": account.pk, "month": first_of_month(now)}
    with connection.cursor() as cursor:
        cursor.execute(OF_ACCOUNT, values)
        found = cursor.fetchone()
    return found[0] if found else None


def first_of_month(moment: datetime) -> date:
    """The month (UTC) that the moment lies in, by its first day."""
    return moment.date().replace(day=1)
