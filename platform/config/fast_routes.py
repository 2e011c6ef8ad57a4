"""The doors of customers and of MMSCs. Requests of machines go straight to them.

What is there for people - sessions, CSRF, static files, the search for an address among many - would take longer than
all that a request of a machine is checked for.
"""

import re
from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from mms.api.views import json_view, sinch_view, skycore_view
from mms.messages.report_endpoint import endpoint

# With or without the slash at the end: a redirect would lose what is posted.
DOORS: Final[dict[str, Callable[..., HttpResponseBase]]] = {
    **dict.fromkeys(["/ep/v1", "/ep/v1/"], sinch_view),
    **dict.fromkeys(["/ep/v2", "/ep/v2/"], json_view),
    **dict.fromkeys(["/API/wxml/1.3", "/API/wxml/1.3/", "/API/wxml/1.3/index.php"], skycore_view),
}
# One for each carrier, by its slug.
MMSC: Final = re.compile(r"/mm7/([-a-zA-Z0-9_]+)")


def straight(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponseBase]:
    """The middleware that comes first, and is the last that a machine's request meets."""

    def answered(request: HttpRequest) -> HttpResponseBase:
        if door := DOORS.get(request.path_info):
            return door(request)
        if carrier := MMSC.fullmatch(request.path_info):
            return endpoint(request, carrier[1])
        return get_response(request)

    return answered
