"""The admin of postbacks, with their replay."""

from collections.abc import Iterable
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

from billing.models import Account
from mms.admin import history, search
from mms.admin.filters import PostbackStatusFilter
from mms.admin.records import RecordAdmin
from mms.admin.tables import Table, label, link
from mms.models import Postback
from mms.models.tracking_ids import parse_tracking_id
from mms.postbacks import outbox
from mms.postbacks.notices import FIELD_ORDER


class DateTimeInputField(forms.DateTimeField):
    """A date and time to the second, entered with the browser's own input."""

    widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"})


class GivenUpForm(BaseDialogForm):
    """The account and the period whose postbacks are sent again."""

    account = forms.ModelChoiceField(Account.objects.order_by("name"), widget=UnfoldAdminSelectWidget)
    since = DateTimeInputField(label="Given up since", help_text="In UTC.")
    until = DateTimeInputField(label="Given up before", required=False, help_text="In UTC. Leave empty for no end.")


@admin.register(Postback)
class PostbackAdmin(RecordAdmin):
    list_display = ("__str__", "message_link", "account", "status_label", "tries", "due_at", "created_at")
    list_select_related = ("account", "message")
    list_filter = (PostbackStatusFilter, ("account", AutocompleteSelectFilter))
    search_fields = ("message",)
    search_help_text = "Tracking ID or account"
    actions = ("send_again",)
    actions_list = ("send_given_up",)
    actions_detail = ("send_this_again",)
    fields = (
        ("message_link", "account"),
        ("code", "status_label"),
        ("dialect", "tries"),
        ("created_at", "ended_at"),
        "due_at",
        "field_values",
    )

    @display(description="message")
    def message_link(self, postback: Postback) -> SafeString:
        return link(postback.message)

    @display(description="status")
    def status_label(self, postback: Postback) -> SafeString:
        return label(postback.status, postback.get_status_display())

    @display(description="fields")
    def field_values(self, postback: Postback) -> dict[str, Any]:
        return {name: postback.fields[name] for name in FIELD_ORDER if name in postback.fields}

    def found(self, term: str, *, exact: bool) -> Q:
        key = parse_tracking_id(term)
        return Q(message=key) if key is not None else search.by_account(term)

    def tables(self, row: Postback) -> Iterable[Table]:
        return (history.postback_attempts_table(row),)

    def has_send_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Offer the action of a postback's page only once it is delivered or given up."""
        has_ended = object_id is None or outbox.ended(Postback.objects.filter(pk=object_id)).exists()
        return self.may_act(request) and has_ended

    @action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Postback]) -> None:
        selected = queryset.count()
        replayed = outbox.replay(queryset, timezone.now())
        messages.success(request, f"Postbacks to be sent again: {replayed}.")
        if replayed < selected:
            messages.warning(request, f"Skipped, because not delivered or given up yet: {selected - replayed}.")

    @action(
        description="Send again",
        permissions=["send"],
        dialog={
            "title": "Send again",
            "description": "Sends this postback to the customer again, with the same content.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Send again",
        },
    )
    def send_this_again(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        self.send_again(request, Postback.objects.filter(pk=object_id))
        return HttpResponse(headers={"HX-Redirect": reverse("admin:mms_postback_change", args=[object_id])})

    @action(
        description="Send given-up postbacks again",
        permissions=["send"],
        icon="replay",
        dialog={
            "title": "Send given-up postbacks again",
            "description": "For a customer whose server was down: sends all postbacks given up in this period.",
            "form_class": GivenUpForm,
            "form_submit_text": "Send again",
        },
    )
    def send_given_up(self, request: HttpRequest, form: GivenUpForm) -> HttpResponse:
        given_up = outbox.given_up_between(**{name: form.cleaned_data[name] for name in ("account", "since", "until")})
        replayed = outbox.replay(given_up, timezone.now())
        messages.success(request, f"Postbacks to be sent again: {replayed}.")
        return HttpResponse(headers={"HX-Redirect": reverse("admin:mms_postback_changelist")})
