"""Web pages of the simulator, and the JSON and media that these pages and the tests request."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from aiohttp import web

from simulator import numbers
from simulator.handset import Handset
from simulator.log import Archive, Exchange, Log
from simulator.mime import Part
from simulator.mmsc import Mmsc
from simulator.raw import request_text
from simulator.submit import SubmitRefused, read_submit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WEB = Path(__file__).parent / "web"
MAX_WAIT = 30.0

# Received parts are untrusted: browsers must neither execute them nor guess their type.
UNTRUSTED_CONTENT = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-cache",
}


class Pages:
    """Handlers of the web pages, the log, received messages, the number tables and the controls."""

    def __init__(self, log: Log, archive: Archive, mmsc: Mmsc) -> None:
        self._log = log
        self._archive = archive
        self._mmsc = mmsc

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", _page(WEB / "wall.html")),
            web.get("/postbacks", _page(WEB / "postbacks.html")),
            *(web.get(f"/assets/{path.name}", _page(path)) for path in WEB.iterdir()),
            web.get("/log", self.log),
            web.get("/numbers", self.numbers),
            web.get("/submits/{seq:[0-9]+}/mm7", self.mm7),
            web.get("/messages/{message_id}/parts/{part:[0-9]+}", self.part),
            web.post("/control/release", self.release),
            web.post("/control/mode", self.mode),
        ]

    async def log(self, request: web.Request) -> web.Response:
        """Return the entries after `since`, optionally of one `kind` and `number`.

        With `wait`, respond as soon as there is an entry, or after that many seconds.
        """
        query = request.query
        kind, number, since = query.get("kind", ""), query.get("number", ""), int(_number(query, "since"))
        clock = asyncio.get_running_loop().time
        end = clock() + min(_number(query, "wait"), MAX_WAIT)
        while not (entries := self._log.find(kind, number, since)) and clock() < end:
            await self._log.wait(end - clock())
        return web.json_response(entries)

    async def numbers(self, request: web.Request) -> web.Response:
        """Return the tables of test numbers."""
        handsets = {digits: _handset(handset) for digits, handset in numbers.HANDSETS.items()}
        behaviours = {digits: behaviour.description for digits, behaviour in numbers.BEHAVIOURS.items()}
        return web.json_response({"handsets": handsets, "behaviours": behaviours})

    async def mm7(self, request: web.Request) -> web.Response:
        """Return one request to the MMSC, without its binary parts, and the answer."""
        exchange = self._archive.get(int(request.match_info["seq"]))
        if exchange is None:
            raise web.HTTPNotFound(text="no such exchange, or no longer archived")
        return web.json_response({"request": request_text(exchange), "answer": exchange.answer})

    async def part(self, request: web.Request) -> web.Response:
        """Return one part of a received message, counted from 0."""
        exchange = self._archive.get_by_message_id(request.match_info["message_id"])
        parts = _parts(exchange) if exchange else ()
        number = int(request.match_info["part"])
        if number >= len(parts):
            raise web.HTTPNotFound(text="no such part, or its message is no longer archived")
        charset = parts[number].headers.get_content_charset()
        return web.Response(
            body=parts[number].content, content_type=parts[number].mime_type, charset=charset, headers=UNTRUSTED_CONTENT
        )

    async def release(self, request: web.Request) -> web.Response:
        """Send the reports on the held messages of `number`, or of all numbers."""
        return web.json_response({"released": self._mmsc.release(request.query.get("number", ""))})

    async def mode(self, request: web.Request) -> web.Response:
        """Set the MMSC to the mode `name` (behaviour.MODES)."""
        try:
            self._mmsc.set_mode(request.query.get("name", ""))
        except KeyError as unknown:
            raise web.HTTPBadRequest(text=f"there is no mode {unknown}") from None
        return web.json_response({})


def _page(path: Path) -> Handler:
    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(path, headers=PAGE_HEADERS)

    return page


def _number(query: Mapping[str, str], name: str) -> float:
    try:
        return float(query.get(name, 0))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name}: {query[name]!r} is not a number") from error


def _parts(exchange: Exchange) -> tuple[Part, ...]:
    try:
        return read_submit(exchange.content_type, exchange.body).parts
    except SubmitRefused:
        return ()


def _handset(handset: Handset) -> dict[str, object]:
    return asdict(handset) | {"mime_types": sorted(handset.mime_types)}
