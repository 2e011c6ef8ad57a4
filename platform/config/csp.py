"""The Content-Security-Policy of the admin: the browser loads nothing from other hosts."""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse

# The theme uses inline styles, and its scripts (Alpine) evaluate expressions in attributes.
POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "media-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Return the middleware that adds the policy to HTML responses that do not set their own."""

    def add_policy(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return add_policy
