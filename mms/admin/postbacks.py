"""Postbacks, and sending them again."""

from collections.abc import Iterable

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm

from mms.admin import search, stories
from mms.admin.audit import AuditAdmin
from mms.admin.filters import PostbackStatusFilter
from mms.admin.tables import Table, label, lines, link
from mms.models import Postback
from mms.models.messages import key_of
from mms.postbacks.notices import ORDER


@admin.register(Postback)
class PostbackAdmin(AuditAdmin):
    list_display = ("__str__", "of", "account", "status_label", "tries", "due_at", "created_at")
    list_select_related = ("account", "message")
    list_filter = (PostbackStatusFilter, ("account", AutocompleteSelectFilter))
    search_fields = ("message",)
    search_help_text = "Tracking id, account"
    actions = ("send_again",)
    actions_detail = ("send_this_again",)
    fields = (
        ("of", "account"),
        ("code", "status_label"),
        ("url", "tries"),
        ("created_at", "due_at"),
        "told",
    )

    @display(description="message")
    def of(self, postback: Postback) -> SafeString:
        return link(postback.message)

    @display(description="status")
    def status_label(self, postback: Postback) -> SafeString:
        return label(postback.status)

    @display(description="fields")
    def told(self, postback: Postback) -> SafeString:
        return lines({name: postback.fields[name] for name in ORDER if name in postback.fields})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Postback], search_term: str
    ) -> tuple[QuerySet[Postback], bool]:
        return (queryset.filter(_postbacks(search_term)) if search_term else queryset), False

    def tables(self, row: Postback) -> Iterable[Table]:
        return (stories.handovers(row),)

    def has_send_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """On a postback's page, only once it is taken or given up."""
        over = object_id is None or _over(Postback.objects.filter(pk=object_id)).exists()
        return self.may_act(request) and over

    @action(description="Send again", permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[Postback]) -> None:
        chosen = queryset.count()
        sent = _make_due(queryset)
        messages.success(request, f"Postbacks that are sent again: {sent}.")
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


def _postbacks(term: str) -> Q:
    key = key_of(term.strip())
    return Q(message=key) if key is not None else search.of_account(term)


def _over(postbacks: QuerySet[Postback]) -> QuerySet[Postback]:
    return postbacks.exclude(status=Postback.Status.PENDING)


def _make_due(postbacks: QuerySet[Postback]) -> int:
    """Makes those that are taken or given up due again, with all their tries before them."""
    # By primary key: the list's query may hold joins and an order that an UPDATE cannot have.
    chosen = Postback.objects.filter(pk__in=list(postbacks.values_list("pk", flat=True)))
    return _over(chosen).update(status=Postback.Status.PENDING, due_at=timezone.now(), tries=0)
