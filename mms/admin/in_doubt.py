"""The page that resolves the messages in doubt of a carrier and a time together: a form, then the number to confirm."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelectWidget

from mms.admin.postbacks import DateTimeInputField
from mms.messages import in_doubt
from mms.models import Carrier

DECISIONS = {
    "sent": "Mark as sent and wait for the delivery reports",
    "unsent": "Send again",
}


class OutageForm(forms.Form):
    """The carrier, the time of its outage, and the decision."""

    carrier = forms.ModelChoiceField(Carrier.objects.order_by("name"), widget=UnfoldAdminSelectWidget)
    since = DateTimeInputField(label="Submitted since", help_text="In UTC.")
    until = DateTimeInputField(label="Submitted before", help_text="In UTC.")
    decision = forms.ChoiceField(choices=tuple(DECISIONS.items()), widget=UnfoldAdminSelectWidget)

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("since") and cleaned.get("until") and cleaned["since"] >= cleaned["until"]:
            self.add_error("until", "Enter a time after the first one.")
        elif cleaned.get("until"):
            cleaned["until"] = min(cleaned["until"], timezone.now())
        return cleaned


def view(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show the form, or the number of messages for its values, and resolve them once that is confirmed by a POST."""
    form = OutageForm((request.POST or request.GET).dict() or None)
    if not form.is_valid():
        return _page(request, {**context, "form": form})
    values = form.cleaned_data
    form.data = {**form.data, "until": values["until"].isoformat()}  # what is confirmed: nothing submitted since
    found = in_doubt.submitted_between(values["carrier"], values["since"], values["until"])
    if request.method == "POST":
        by, sent = request.user.get_username(), values["decision"] == "sent"
        resolved = in_doubt.resolve(found, sent=sent, by=by, now=timezone.now())
        messages.success(request, f"Messages {'marked as sent' if sent else 'to be sent again'}: {resolved:,}.")
    count = found.count()
    if request.method == "POST" and not count:
        return redirect(reverse("admin:mms_message_changelist"))
    decision = DECISIONS[values["decision"]]
    shown = {"form": form, "values": values, "count": count, "decision": decision, "most": in_doubt.MOST}
    return _page(request, {**context, **shown})


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return render(request, "admin/mms/in_doubt.html", {**context, "title": "Resolve messages in doubt"})
