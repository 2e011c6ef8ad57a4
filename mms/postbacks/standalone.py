"""Postbacks that belong to no message: about a template's encoding, and about an account's low balance.

Each is written in the transaction of the step that it reports, if the account has a postback URL.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from billing import low_balance
from billing.models import Account, LowBalanceNotice
from mms.models import Postback, Template
from mms.postbacks import notices


def write_template_postback(template: Template, code: str, more: Mapping[str, str], now: datetime) -> None:
    """Write the postback for the end of a template's encoding, unless the template is deleted."""
    if not template.deleted_at:
        _write(template.account, notices.template_fields(code, template, now, more), now)


def write_low_balance_postback(notice: LowBalanceNotice) -> None:
    """Write the postback for a low balance, if the account has switched it on."""
    if notice.account.low_balance_postback:
        fields = notices.low_balance_fields(low_balance.summary(notice), notice.created_at)
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
