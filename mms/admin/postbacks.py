"""Postbacks, and sending them again."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from base import logs
from billing.models import Account
from mms.admin import masking, search, stories
from mms.admin.audit import AuditAdmin
from mms.admin.filters import PostbackStatusFilter
from mms.admin.tables import Table, label, lines, link
from mms.models import Postback
from mms.models.tracking_ids import parse_tracking_id
from mms.postbacks import outbox
from mms.postbacks.notices import FIELD_ORDER


class MomentField(forms.DateTimeField):
    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"})


class GivenUpForm(BaseDialogForm):
    """Whose postbacks are to be sent again, and from which stretch of time."""

    account = forms.ModelChoiceField(Account.objects.order_by("name"), widget=UnfoldAdminSelectWidget)
    since = MomentField(label="Given up since", help_text="UTC, as all times of the console.")
    until = MomentField(label="and before", required=False, help_text="Empty: until now.")


@admin.register(Postback)
class PostbackAdmin(AuditAdmin):
    list_display = ("__str__", "of", "account", "status_label", "tries", "due_at", "created_at")
    list_select_related = ("account", "message")
    list_filter = (PostbackStatusFilter, ("account", AutocompleteSelectFilter))
    search_fields = ("message",)
    search_help_text = "Tracking id, account"
    actions = ("send_again",)
    actions_list = ("send_given_up",)
    actions_detail = ("send_this_again",)
    fields = (
        ("of", "account"),
        ("code", "status_label"),
        ("dialect", "tries"),
        ("created_at", "ended_at"),
        "due_at",
        "told",
    )
    replacements = {"told": "masked_told"}

    @display(description="message")
    def of(self, postback: Postback) -> SafeString:
        return link(postback.message)

    @display(description="status")
    def status_label(self, postback: Postback) -> SafeString:
        return label(postback.status)

    @display(description="fields")
    def told(self, postback: Postback) -> SafeString:
        return _lines(postback.fields)

    @display(description="fields")
    def masked_told(self, postback: Postback) -> SafeString:
        numbers = {name: masking.masked(postback.fields[name]) for name in ("from", "to") if name in postback.fields}
        return _lines({**postback.fields, **numbers}, logs.mask)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Postback], search_term: str
    ) -> tuple[QuerySet[Postback], bool]:
        return (queryset.filter(_postbacks(search_term)) if search_term else queryset), False

    def tables(self, row: Postback) -> Iterable[Table]:
        return (stories.handovers(row),)

    def has_send_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """On a postback's page, only once it is taken or given up."""
        over = object_id is None or outbox.ended(Postback.objects.filter(pk=object_id)).exists()
        return self.may_act(request) and over

    @action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Postback]) -> None:
        chosen = queryset.count()
        sent = outbox.replay(queryset, timezone.now())
        messages.success(request, f"Postbacks to be sent again: {sent}.")
        if sent < chosen:
            messages.warning(request, f"Still on their way, and left as they are: {chosen - sent}.")

    @action(
        description="Send again",
        permissions=["send"],
        dialog={
            "title": "Send again",
            "description": "The customer's server gets this postback once more, with the same content.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Send again",
        },
    )
    def send_this_again(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        self.send_again(request, Postback.objects.filter(pk=object_id))
        return HttpResponse(headers={"HX-Redirect": reverse("admin:mms_postback_change", args=[object_id])})

    @action(
        description="Send again what was given up",
        permissions=["send"],
        icon="replay",
        dialog={
            "title": "Send again what was given up",
            "description": "For a customer whose server was down: every postback that it did not take is due now.",
            "form_class": GivenUpForm,
            "form_submit_text": "Send again",
        },
    )
    def send_given_up(self, request: HttpRequest, form: GivenUpForm) -> HttpResponse:
        chosen = outbox.given_up_between(**{name: form.cleaned_data[name] for name in ("account", "since", "until")})
        sent = outbox.replay(chosen, timezone.now())
        messages.success(request, f"Postbacks to be sent again: {sent}.")
        return HttpResponse(headers={"HX-Redirect": reverse("admin:mms_postback_changelist")})


def _lines(fields: dict[str, Any], words: Callable[[str], str] = str) -> SafeString:
    return lines({name: fields[name] for name in FIELD_ORDER if name in fields}, words)


def _postbacks(term: str) -> Q:
    key = parse_tracking_id(term.strip())
    return Q(message=key) if key is not None else search.of_account(term)
