"""Postbacks apart from any message: of content that was stored, and of an account's money.

Each is written in the transaction of what it tells, for an account that has a URL.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing import low_balance
from billing.models import Account, LowBalanceNotice
from mms.models import Postback, Template
from mms.postbacks import notices


def tell_of_template(template: Template, code: str, more: Mapping[str, str], now: datetime) -> None:
    """Tells what became of the content's audio and video, unless the content is gone."""
    if not template.deleted_at:
        _write(template.account, notices.of_template(code, template, now, more), now)


def tell_of_low_balance(notice: LowBalanceNotice) -> None:
    """Tells that there is little left to spend, where the account asked for that."""
    if notice.account.low_balance_postback:
        fields = notices.of_low_balance(low_balance.summary(notice), notice.created_at)
        _write(notice.account, fields, notice.created_at)


def _write(account: Account, fields: dict[str, Any], now: datetime) -> None:
    if account.postback_url:
        Postback.objects.create(
            account=account,
            code=fields["code"],
            fields=fields,
            dialect=account.postback_dialect,
            due_at=now,
            created_at=now,
        )
