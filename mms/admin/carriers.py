"""The admin of carriers: how to reach the MMSC, its access to the platform, and its MM7 dialect."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget

from base import logs
from base.admin_pages import MaskingAdmin
from base.widgets import COMPACT_WIDGETS
from mms.admin.masking import mask_text
from mms.models import Carrier, CarrierFeed, NumberPrefix
from mms.observation import refusals
from mms.protocol.reports import ReportStatus
from mms.protocol.submit import Outcome

PASSWORD_HELP = "Leave empty to keep the current password. It is removed when the username is empty."  # noqa: S105
MMSC_PASSWORD_HELP = f"{PASSWORD_HELP} Required when the MMSC URL changes to another server."


class CarrierForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker alone
    """The form of a carrier. It never shows passwords; an empty field keeps the stored one."""

    mmsc_password = forms.CharField(
        label="MMSC password",
        max_length=100,
        required=False,
        widget=UnfoldAdminPasswordWidget,
        help_text=MMSC_PASSWORD_HELP,
    )
    inbound_password = forms.CharField(
        label="Inbound password",
        max_length=100,
        required=False,
        widget=UnfoldAdminPasswordWidget,
        help_text=PASSWORD_HELP,
    )

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean() or self.cleaned_data
        self._check_destination_of_password(cleaned)
        for user, password in (("mmsc_username", "mmsc_password"), ("inbound_username", "inbound_password")):
            kept = cleaned.get(password) or getattr(self.instance, password)
            cleaned[password] = kept if cleaned.get(user) else ""
        return cleaned

    def _check_destination_of_password(self, cleaned: dict[str, Any]) -> None:
        """Require the MMSC password again for another server: whoever changes the URL need not know the password.

        Without a URL, the stored password belongs to no server.
        """
        kept = self.instance.mmsc_password and cleaned.get("mmsc_username") and not cleaned.get("mmsc_password")
        url = cleaned.get("mmsc_url")
        if kept and url and _server(url) != _server(self.initial.get("mmsc_url", "")):
            self.add_error(
                "mmsc_password",
                "Enter the password again: the MMSC URL names another server, which the stored password is not for.",
            )

    def clean_inbound_networks(self) -> list[str]:
        networks: list[str] = self.cleaned_data["inbound_networks"]
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise forms.ValidationError(f"{network} is not a network in CIDR notation: {error}.") from error
        return networks

    def clean_code_overrides(self) -> dict[str, Any]:
        overrides = self.cleaned_data["code_overrides"] or {}
        if not isinstance(overrides, dict):
            raise forms.ValidationError('Enter a JSON object of code and outcome, such as {"3001": "permanent"}.')
        outcomes = [outcome.value for outcome in Outcome if outcome != Outcome.UNREACHABLE]  # no answer, so no code
        for code, outcome in overrides.items():
            if not (code.isascii() and code.isdigit()) or outcome not in outcomes:
                raise forms.ValidationError(
                    f"{code}: enter a code of digits and one of these outcomes: {', '.join(outcomes)}."
                )
        return overrides

    def clean_status_overrides(self) -> dict[str, Any]:
        overrides = self.cleaned_data["status_overrides"] or {}
        if not isinstance(overrides, dict):
            raise forms.ValidationError('Enter a JSON object of MMStatus and meaning, such as {"4": "Rejected"}.')
        meanings = [meaning.value for meaning in ReportStatus]
        for status, meaning in overrides.items():
            if meaning not in meanings:
                raise forms.ValidationError(f"{status}: enter one of these meanings: {', '.join(meanings)}.")
        return overrides


def _server(url: str) -> tuple[str, str | None, int | None]:
    """Return scheme, host and port of a valid URL, with the default port of the scheme."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


class PrefixInline(TabularInline):
    model = NumberPrefix
    ordering = ("prefix",)
    extra = 0
    hide_title = True
    per_page = 50


@admin.register(Carrier)
class CarrierAdmin(MaskingAdmin):
    form = CarrierForm
    replacements = {"mmsc_password": "", "inbound_password": "", "mmsc_url": "masked_mmsc_url"}
    list_replacements = {"mmsc_url": "masked_mmsc_url"}
    formfield_overrides = COMPACT_WIDGETS
    list_display = ("name", "operator_id", "enabled", "feed_state", "mmsc_url", "largest_message")
    list_select_related = ("feed",)
    list_filter = ("enabled",)
    search_fields = ("name", "operator_id")
    inlines = (PrefixInline,)
    readonly_fields = ("feed_state", "latest_refusals")
    prepopulated_fields = {"slug": ("name",)}
    fieldsets = (
        (None, {"fields": (("name", "enabled"), ("operator_id", "slug"), "feed_state", "latest_refusals")}),
        (
            "Outbound: submits to the MMSC",
            {
                "fields": (
                    "mmsc_url",
                    ("mmsc_username", "mmsc_password"),
                    ("vaspid", "vasid"),
                    ("timeout", "message_bytes"),
                    "throughput",
                )
            },
        ),
        (
            "Inbound: requests from the MMSC",
            {"fields": (("inbound_username", "inbound_password"), "inbound_networks")},
        ),
        (
            "MM7 dialect",
            {"fields": (("mm7_version", "base64_parts"), "mm7_namespace", "code_overrides", "status_overrides")},
        ),
    )

    @display(description="submits")
    def feed_state(self, carrier: Carrier) -> str:
        feed: CarrierFeed | None = getattr(carrier, "feed", None)
        if feed is None or not feed.failures:
            return "answered"
        if feed.paused_until is None:
            return f"{feed.failures:,} without an answer"
        return f"paused until {feed.paused_until:%Y-%m-%d %H:%M:%S}; {feed.failures:,} without an answer"

    @display(description="refusals in the last day")
    def latest_refusals(self, carrier: Carrier) -> SafeString | str:
        """Return the kinds of refusals, masked for everybody: an MMSC's text may contain a number."""
        latest = refusals.latest(carrier, timezone.now(), mask_text) if carrier.pk else []
        return format_html_join("", "<div>{}</div>", ((each,) for each in latest)) or "none"

    @display(description="largest message", ordering="message_bytes")
    def largest_message(self, carrier: Carrier) -> str:
        return f"{carrier.message_bytes:,} bytes"

    @display(description="MMSC URL", ordering="mmsc_url")
    def masked_mmsc_url(self, carrier: Carrier) -> str:
        return logs.mask_secrets(carrier.mmsc_url)

    def may_see(self, request: HttpRequest) -> bool:
        return bool(self.has_change_permission(request))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: a carrier is disabled instead, and its messages stay."""
        return False
