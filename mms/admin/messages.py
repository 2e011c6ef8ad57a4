"""The admin of messages: search, timeline, and resolving messages in doubt."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from billing.amounts import format_amount
from mms.admin import history, in_doubt, search
from mms.admin.filters import StatusFilter
from mms.admin.records import RecordAdmin
from mms.admin.tables import Table, label
from mms.messages import transitions
from mms.models import Message, Status


@admin.register(Message)
class MessageAdmin(RecordAdmin):
    list_display = ("tracking_id", "number", "account", "status_label", "handset_name", "created_at")
    list_select_related = ("account", "handset__profile")
    list_filter = (StatusFilter, ("account", AutocompleteSelectFilter), ("carrier", AutocompleteSelectFilter))
    search_fields = ("number",)
    search_help_text = "Tracking ID, client reference, number or account"
    actions = ("resolve_sent", "resolve_unsent")
    actions_list = ("resolve_many",)
    actions_detail = ("confirm_sent", "confirm_unsent")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("tracking_id", "status_label"),
                    ("number", "sender"),
                    ("account", "service"),
                    ("template", "subject"),
                    ("carrier", "operator_id"),
                    ("handset", "profile_used"),
                    "discovery",
                )
            },
        ),
        (
            "Times",
            {
                "fields": (("created_at", "submitted_at"), ("final_at", "due_at"), ("expires_at", "tries")),
                "classes": ["tab"],
            },
        ),
        ("Price", {"fields": (("mms_price", "ddm_price"), ("reserved_amount", "pays_ddm")), "classes": ["tab"]}),
        (
            "Request",
            {
                "fields": (
                    ("texts_by_slide", "merge_data"),
                    ("client_reference", "fallback_text"),
                    ("ddm_subject", "ddm_text"),
                    ("ddm_timeout", "ddm_force"),
                ),
                "classes": ["tab"],
            },
        ),
    )

    @display(description="tracking ID")
    def tracking_id(self, message: Message) -> str:
        return message.tracking_id

    @display(description="status")
    def status_label(self, message: Message) -> SafeString:
        return label(message.status)

    @display(description="handset")
    def handset_name(self, message: Message) -> str:
        handset = message.handset
        return str(handset.profile or handset)[:60] if handset else "-"

    @display(description="MMS price")
    def mms_price(self, message: Message) -> str:
        return format_amount(message.price_mms, message.account.currency)

    @display(description="DDM price")
    def ddm_price(self, message: Message) -> str:
        return format_amount(message.price_ddm, message.account.currency)

    @display(description="reserved")
    def reserved_amount(self, message: Message) -> str:
        return format_amount(message.reserved, message.account.currency)

    @display(description="slide texts")
    def texts_by_slide(self, message: Message) -> Any:
        return message.texts

    @display(description="merge data")
    def merge_data(self, message: Message) -> Any:
        return message.data

    def found(self, term: str, *, exact: bool) -> Q:
        return search.of_messages(term, exact=exact)

    def tables(self, row: Message) -> Iterable[Table]:
        return (
            history.timeline_table(row),
            history.attempts_table(row),
            history.postbacks_table(row),
            history.ledger_table(row),
        )

    # Messages in doubt: the operator asks the carrier and records the answer.

    def has_resolve_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Offer the actions of a message's page only while it is in doubt."""
        in_doubt = object_id is None or Message.objects.filter(pk=object_id, status=Status.IN_DOUBT).exists()
        return self.may_act(request) and in_doubt

    @action(description="Mark messages in doubt as sent", permissions=["resolve"])
    def resolve_sent(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        self._resolve(request, queryset, sent=True)

    @action(description="Send messages in doubt again", permissions=["resolve"])
    def resolve_unsent(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        self._resolve(request, queryset, sent=False)

    @action(
        description="Mark as sent",
        permissions=["resolve"],
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": "Mark as sent",
            "description": "Use this if the carrier has the message. The customer gets the postback N101.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Mark as sent",
        },
    )
    def confirm_sent(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._resolve_one(request, object_id, sent=True)

    @action(
        description="Send again",
        permissions=["resolve"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Send again",
            "description": "Use this if the carrier does not have the message. Otherwise the recipient gets it twice.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Send again",
        },
    )
    def confirm_unsent(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._resolve_one(request, object_id, sent=False)

    @action(description="Resolve messages in doubt", permissions=["resolve"], icon="rule")
    def resolve_many(self, request: HttpRequest) -> HttpResponse:
        return in_doubt.view(request, self.admin_site.each_context(request) | {"opts": self.opts})

    def _resolve_one(self, request: HttpRequest, object_id: str, *, sent: bool) -> HttpResponse:
        self._resolve(request, Message.objects.filter(pk=object_id), sent=sent)
        page = reverse("admin:mms_message_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": page})

    def _resolve(self, request: HttpRequest, selected: QuerySet[Message], *, sent: bool) -> None:
        now, by = timezone.now(), request.user.get_username()
        rows = list(selected.select_related("account", "carrier"))
        resolved = transitions.resolve_in_doubt(rows, sent=sent, by=by, now=now)
        skipped = len(rows) - resolved
        result = "marked as sent" if sent else "to be sent again"
        messages.success(request, f"Messages {result}: {resolved}.")
        if skipped:
            messages.warning(request, f"Skipped, because not in doubt: {skipped}.")
