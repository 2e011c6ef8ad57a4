"""Messages: found by tracking id, number or account; each with all that happened to it."""

from collections.abc import Iterable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm

from base import logs
from billing.amounts import format_amount
from mms.admin import search, stories
from mms.admin.audit import AuditAdmin
from mms.admin.filters import StatusFilter
from mms.admin.tables import Table, label, lines
from mms.messages import transitions
from mms.models import Message, Status

DELIVERED = "It was sent: wait for its delivery report"
SEND_AGAIN = "It was not sent: send it again"


@admin.register(Message)
class MessageAdmin(AuditAdmin):
    list_display = ("tracking_id", "number", "account", "status_label", "handset_name", "created_at")
    list_select_related = ("account", "handset__profile")
    list_filter = (StatusFilter, ("account", AutocompleteSelectFilter), ("carrier", AutocompleteSelectFilter))
    search_fields = ("number",)
    search_help_text = "Tracking id, number, account"
    replacements = {
        **AuditAdmin.replacements,
        "texts_by_slide": "masked_texts",
        "merge_data": "masked_data",
        "client_reference": "masked_reference",
    }
    actions = ("resolve_sent", "resolve_unsent")
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
                    "handset",
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
        ("Price", {"fields": (("as_mms", "of_ddm"), ("held", "pays_ddm")), "classes": ["tab"]}),
        (
            "As ordered",
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

    @display(description="status")
    def status_label(self, message: Message) -> SafeString:
        return label(message.status)

    @display(description="handset")
    def handset_name(self, message: Message) -> str:
        handset = message.handset
        return str(handset.profile or handset)[:60] if handset else "-"

    @display(description="price as MMS")
    def as_mms(self, message: Message) -> str:
        return format_amount(message.price_mms, message.account.currency)

    @display(description="price of a DDM")
    def of_ddm(self, message: Message) -> str:
        return format_amount(message.price_ddm, message.account.currency)

    @display(description="reserved at accept")
    def held(self, message: Message) -> str:
        return format_amount(message.reserved, message.account.currency)

    @display(description="texts of slides")
    def texts_by_slide(self, message: Message) -> SafeString:
        return lines(message.texts)

    @display(description="merge data")
    def merge_data(self, message: Message) -> SafeString:
        return lines(message.data)

    @display(description="texts of slides")
    def masked_texts(self, message: Message) -> SafeString:
        return lines(message.texts, logs.mask)

    @display(description="merge data")
    def masked_data(self, message: Message) -> SafeString:
        return lines(message.data, logs.mask)

    @display(description="client reference")
    def masked_reference(self, message: Message) -> str:
        return logs.mask(message.client_reference)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Message], search_term: str
    ) -> tuple[QuerySet[Message], bool]:
        found = search.messages(search_term, whole=not self.may_see(request))
        return (queryset.filter(found) if search_term else queryset), False

    def tables(self, row: Message) -> Iterable[Table]:
        return (stories.timeline(row), stories.attempts(row), stories.postbacks(row), stories.money(row))

    # --- messages in doubt: an operator who asked the carrier says what became of them -------------------------

    def has_resolve_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """On a message's page, only while it is in doubt."""
        in_doubt = object_id is None or Message.objects.filter(pk=object_id, status=Status.IN_DOUBT).exists()
        return self.may_act(request) and in_doubt

    @action(description=f"In doubt. {DELIVERED}", permissions=["resolve"])
    def resolve_sent(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        self._resolve(request, queryset, sent=True)

    @action(description=f"In doubt. {SEND_AGAIN}", permissions=["resolve"])
    def resolve_unsent(self, request: HttpRequest, queryset: QuerySet[Message]) -> None:
        self._resolve(request, queryset, sent=False)

    @action(
        description=DELIVERED,
        permissions=["resolve"],
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": DELIVERED,
            "description": "The customer is told that the message was sent.",
            "form_class": BaseDialogForm,
            "form_submit_text": "It was sent",
        },
    )
    def confirm_sent(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._confirmed(request, object_id, sent=True)

    @action(
        description=SEND_AGAIN,
        permissions=["resolve"],
        variant=ActionVariant.DANGER,
        dialog={
            "title": SEND_AGAIN,
            "description": "If the carrier did take it after all, the recipient gets it twice.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Send again",
        },
    )
    def confirm_unsent(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        return self._confirmed(request, object_id, sent=False)

    def _confirmed(self, request: HttpRequest, object_id: str, *, sent: bool) -> HttpResponse:
        self._resolve(request, Message.objects.filter(pk=object_id), sent=sent)
        page = reverse("admin:mms_message_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": page})

    def _resolve(self, request: HttpRequest, chosen: QuerySet[Message], *, sent: bool) -> None:
        now, by = timezone.now(), request.user.get_username()
        rows = list(chosen.select_related("account", "carrier"))
        resolved = sum(transitions.resolve_in_doubt(message, sent, by, now) for message in rows)
        left = len(rows) - resolved
        word = "wait for their delivery report" if sent else "are sent again"
        messages.success(request, f"Messages that {word}: {resolved}.")
        if left:
            messages.warning(request, f"Not in doubt, and left as they are: {left}.")
