"""Low-balance notices: which accounts were told, and whether the e-mail left."""

from django.contrib import admin
from unfold.decorators import display

from base.admin_pages import ReadOnlyAdmin
from billing.amounts import format_amount
from billing.models import LowBalanceNotice


@admin.register(LowBalanceNotice)
class LowBalanceNoticeAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "account", "left", "mark", "email", "sent_at", "problem")
    list_select_related = ("account",)
    search_fields = ("account__name",)
    fields = ("account", ("left", "mark"), ("email", "created_at"), ("sent_at", "due_at"), ("tries", "problem"))

    @display(description="available")
    def left(self, notice: LowBalanceNotice) -> str:
        return format_amount(notice.available, notice.account.currency)

    @display(description="low balance at")
    def mark(self, notice: LowBalanceNotice) -> str:
        return format_amount(notice.low_balance_at, notice.account.currency)
