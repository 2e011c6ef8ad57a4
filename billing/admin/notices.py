"""The admin of low-balance notices, with the state of their e-mails."""

from django.contrib import admin
from unfold.decorators import display

from base.admin_pages import ReadOnlyAdmin
from billing.amounts import format_amount
from billing.models import LowBalanceNotice


@admin.register(LowBalanceNotice)
class LowBalanceNoticeAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "available_amount", "threshold", "email", "sent_at", "problem")
    list_select_related = ("account",)
    search_fields = ("account__name",)
    fields = (
        "account",
        ("available_amount", "threshold"),
        ("email", "created_at"),
        ("sent_at", "due_at"),
        ("tries", "problem"),
    )

    @display(description="available")
    def available_amount(self, notice: LowBalanceNotice) -> str:
        return format_amount(notice.available, notice.account.currency)

    @display(description="threshold")
    def threshold(self, notice: LowBalanceNotice) -> str:
        return format_amount(notice.low_balance_at, notice.account.currency)
