"""Fast routes: requests to the customer API and from MMSCs bypass Django's middleware and URL resolver.

Sessions, CSRF protection, static files and URL resolution serve people; for an API request they would cost more than
all of its own checks.
"""

import re
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from mms.api.views import json_view, sinch_view, skycore_view
from mms.messages.report_endpoint import endpoint

# With or without a slash at the end: a redirect would lose the body of a POST.
API_ROUTES: Final[dict[str, Callable[..., HttpResponseBase]]] = {
    **dict.fromkeys(["/ep/v1", "/ep/v1/"], sinch_view),
    **dict.fromkeys(["/ep/v2", "/ep/v2/"], json_view),
    **dict.fromkeys(["/API/wxml/1.3", "/API/wxml/1.3/", "/API/wxml/1.3/index.php"], skycore_view),
}
# The MM7 endpoint of a carrier, by its slug; with or without a slash as well.
MM7_ROUTE: Final = re.compile(r"/mm7/([-a-zA-Z0-9_]+)/?")


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponseBase]:
    """Return the middleware that answers API and MM7 requests and passes on all others. It precedes the others."""

    def route(request: HttpRequest) -> HttpResponseBase:
        if view := API_ROUTES.get(request.path_info):
            return view(request)
        if carrier := MM7_ROUTE.fullmatch(request.path_info):
            return endpoint(request, carrier[1])
        return get_response(request)

    return route
