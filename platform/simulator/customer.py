"""Simulated customer server for postbacks, whose behaviour the URL selects.

POST /postbacks/<name>: the name up to its first hyphen selects the behaviour (`ok-acme` behaves like `ok`):

    ok        HTTP 200 immediately
    fail      always HTTP 500
    flaky     HTTP 500 to the first attempt of each event, then 200
    hang      no response for 120 seconds
    redirect  HTTP 302 to `ok`

Any other name behaves like `ok`. The header whose name ends in Event-Id identifies an event, or else the body does.
"""

import json
from collections import OrderedDict
from hashlib import sha256

from aiohttp import web
from lxml import etree

from simulator import soap
from simulator.log import Log
from simulator.reports import Sleep

HANG_SECONDS = 120.0
MAX_EVENTS = 20_000


class Customer:
    """Receives and logs postbacks."""

    def __init__(self, log: Log, sleep: Sleep) -> None:
        self._log = log
        self._sleep = sleep
        self._events: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def handle(self, request: web.Request) -> web.Response:
        """Handle POST /postbacks/<name>."""
        name = request.match_info["name"]
        body = await request.read()
        fields = _fields(body)
        status = self._status(name, _event_id(request, body))
        self._log.add(
            "postback",
            name=name,
            number="".join(digit for digit in fields.get("to", fields.get("TO", "")) if digit.isdigit()),
            headers=dict(request.headers),
            body=body.decode("utf-8", "replace"),
            fields=fields,
            status=status,
        )
        if status is None:
            await self._sleep(HANG_SECONDS)
            return web.Response(status=504)
        return web.Response(status=status, headers={"Location": "/postbacks/ok"} if status == 302 else {})

    def _status(self, name: str, event: str) -> int | None:
        """Return the HTTP status to answer with, or None to leave the request without a response."""
        is_first = self._is_first_attempt(name, event)
        match name.partition("-")[0]:
            case "fail":
                return 500
            case "flaky":
                return 500 if is_first else 200
            case "redirect":
                return 302
            case "hang":
                return None
        return 200

    def _is_first_attempt(self, name: str, event: str) -> bool:
        is_first = (name, event) not in self._events
        self._events[name, event] = None
        if len(self._events) > MAX_EVENTS:
            self._events.popitem(last=False)
        return is_first


def _event_id(request: web.Request, body: bytes) -> str:
    ids = (value for name, value in request.headers.items() if name.lower().endswith("event-id"))
    return next(ids, sha256(body).hexdigest())


def _fields(body: bytes) -> dict[str, str]:
    """Return the fields of a postback in any dialect, in their order; empty if it is malformed."""
    try:
        children = soap.parse(body).iterchildren(etree.Element)
        return {etree.QName(child).localname: "".join(map(str, child.itertext())).strip() for child in children}
    except ValueError:
        return _json_fields(body)


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return {name: str(value) for name, value in document.items()} if isinstance(document, dict) else {}
