"""The customer's side: a server that takes postbacks, well or badly, as the address chooses.

POST /postbacks/<name>: the name, up to its first hyphen, chooses the behaviour (`ok-acme` does as `ok`):

    ok        HTTP 200 at once
    fail      HTTP 500 always
    flaky     HTTP 500 to the first try of each event, then 200
    hang      no answer for 120 seconds
    redirect  HTTP 302 to `ok`

Every other name does as `ok`. An event is told by the header whose name ends in Event-Id, else by the body.
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
REMEMBERED_EVENTS = 20_000


class Customer:
    """Takes and logs postbacks."""

    def __init__(self, log: Log, sleep: Sleep) -> None:
        self._log = log
        self._sleep = sleep
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def handle(self, request: web.Request) -> web.Response:
        """POST /postbacks/<name>."""
        name = request.match_info["name"]
        body = await request.read()
        fields = _fields(body)
        status = self._status(name, _event(request, body))
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
        """The HTTP status to answer, or nothing to leave the request hanging."""
        first = self._first_time(name, event)
        match name.partition("-")[0]:
            case "fail":
                return 500
            case "flaky":
                return 500 if first else 200
            case "redirect":
                return 302
            case "hang":
                return None
        return 200

    def _first_time(self, name: str, event: str) -> bool:
        first = (name, event) not in self._seen
        self._seen[name, event] = None
        if len(self._seen) > REMEMBERED_EVENTS:
            self._seen.popitem(last=False)
        return first


def _event(request: web.Request, body: bytes) -> str:
    named = (value for name, value in request.headers.items() if name.lower().endswith("event-id"))
    return next(named, sha256(body).hexdigest())


def _fields(body: bytes) -> dict[str, str]:
    """The fields of a postback in their order, of whichever dialect; none where it cannot be read."""
    try:
        children = soap.read(body).iterchildren(etree.Element)
        return {etree.QName(child).localname: "".join(map(str, child.itertext())).strip() for child in children}
    except ValueError:
        return _json_fields(body)


def _json_fields(body: bytes) -> dict[str, str]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return {name: str(value) for name, value in document.items()} if isinstance(document, dict) else {}
