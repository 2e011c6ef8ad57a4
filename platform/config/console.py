"""The theme and the sidebar of the admin."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _page(title: str, icon: str, model: str) -> dict[str, Any]:
    """Return the sidebar link to a model's list ("app_model"), shown to operators who may view it."""
    app, name = model.split("_")

    def visible(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{name}")

    link = reverse_lazy(f"admin:{model}_changelist")
    return {"title": title, "icon": icon, "link": link, "permission": visible}


def _group(title: str, *pages: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": True, "items": pages}


def _file(name: str) -> Callable[[HttpRequest], str]:
    """Return a callable for the URL of a static file, because the settings are not loaded yet."""
    return lambda _: static(f"config/{name}")


UNFOLD = {
    "SITE_TITLE": "MMS platform",
    "SITE_HEADER": "MMS platform",
    "SITE_SYMBOL": "mms",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _file("icon.svg")}],
    "STYLES": [_file("console.css")],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "LOGIN": {"form": "config.login.LoginForm"},
    "DASHBOARD_CALLBACK": "mms.admin.dashboard.context",
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .012 230)",
            "100": "oklch(95% .027 230)",
            "200": "oklch(90.5% .056 230)",
            "300": "oklch(83.5% .1 231)",
            "400": "oklch(75% .14 233)",
            "500": "oklch(67% .155 238)",
            "600": "oklch(55.5% .145 243)",
            "700": "oklch(48% .125 244)",
            "800": "oklch(42.5% .105 242)",
            "900": "oklch(37.5% .087 242)",
            "950": "oklch(27.5% .065 244)",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {"items": [{"title": "Dashboard", "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
            _group(
                "Messages",
                _page("Messages", "sms", "mms_message"),
                _page("Discoveries", "radar", "mms_discovery"),
                _page("Attempts", "send", "mms_attempt"),
                _page("Delivery reports", "mark_email_read", "mms_report"),
                _page("Postbacks", "webhook", "mms_postback"),
            ),
            _group(
                "Content",
                _page("Templates", "slideshow", "mms_template"),
                _page("Slides", "view_carousel", "mms_slide"),
                _page("Media", "image", "mms_medium"),
                _page("Renditions", "photo_size_select_large", "mms_rendition"),
            ),
            _group(
                "Handsets",
                _page("Handsets", "smartphone", "handsets_handset"),
                _page("Profiles", "tune", "handsets_profile"),
                _page("Handset cache", "history", "handsets_cachedhandset"),
            ),
            _group(
                "Accounts",
                _page("Accounts", "business", "billing_account"),
                _page("API keys", "key", "billing_apikey"),
                _page("Sender addresses", "dialpad", "billing_senderaddress"),
                _page("Blocked numbers", "block", "billing_blockednumber"),
            ),
            _group(
                "Money",
                _page("Prices", "sell", "billing_price"),
                _page("Ledger", "menu_book", "billing_ledgerentry"),
                _page("Low-balance notices", "notifications", "billing_lowbalancenotice"),
            ),
            _group("Carriers", _page("Carriers", "cell_tower", "mms_carrier")),
            _group(
                "Operators",
                _page("Users", "person", "auth_user"),
                _page("Groups", "group", "auth_group"),
            ),
        ],
    },
}
