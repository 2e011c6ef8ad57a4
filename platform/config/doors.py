"""The customers' doors. Requests of machines go straight to them.

What is there for people - sessions, CSRF, static files, the search for an address among many - would take longer than
all that a request of a machine is checked for.
"""

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from mms.api.views import JsonDoor, SinchDoor, SkycoreDoor

# With or without the slash at the end: a redirect would lose what is posted.
DOORS: Final[dict[str, Callable[..., HttpResponseBase]]] = {
    **dict.fromkeys(["/ep/v1", "/ep/v1/"], SinchDoor.as_view()),
    **dict.fromkeys(["/ep/v2", "/ep/v2/"], JsonDoor.as_view()),
    **dict.fromkeys(["/API/wxml/1.3", "/API/wxml/1.3/", "/API/wxml/1.3/index.php"], SkycoreDoor.as_view()),
}


def straight(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponseBase]:
    """The middleware that comes first, and is the last that a customer's request meets."""

    def answered(request: HttpRequest) -> HttpResponseBase:
        door = DOORS.get(request.path_info)
        return door(request) if door else get_response(request)

    return answered
