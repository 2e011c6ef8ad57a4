"""The pages for people, and the JSON and media that they and tests read."""

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
from simulator.submit import Refused, read_submit

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
WEB = Path(__file__).parent / "web"
LONGEST_WAIT = 30.0

# Received parts come from strangers: nothing in them may run, and nothing is guessed from their bytes.
GUARDED = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff"}
PAGE = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-cache",
}


class Pages:
    """Everything that is read and not sent: log, messages, number tables, the wall."""

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
            web.post("/control/mood", self.mood),
        ]

    async def log(self, request: web.Request) -> web.Response:
        """Entries after `since`, of `kind` and `number` if given; with `wait`, once there is one or
        that many seconds have passed."""
        query = request.query
        kind, number, since = query.get("kind", ""), query.get("number", ""), int(_number(query, "since"))
        clock = asyncio.get_running_loop().time
        end = clock() + min(_number(query, "wait"), LONGEST_WAIT)
        while not (entries := self._log.find(kind, number, since)) and clock() < end:
            await self._log.wait(end - clock())
        return web.json_response(entries)

    async def numbers(self, request: web.Request) -> web.Response:
        """The table of test numbers."""
        handsets = {digits: _handset(handset) for digits, handset in numbers.HANDSETS.items()}
        behaviours = {digits: behaviour.story for digits, behaviour in numbers.BEHAVIOURS.items()}
        return web.json_response({"handsets": handsets, "behaviours": behaviours})

    async def mm7(self, request: web.Request) -> web.Response:
        """One request to the MMSC, binary parts left out, and its answer."""
        exchange = self._archive.exchange(int(request.match_info["seq"]))
        if exchange is None:
            raise web.HTTPNotFound(text="no such exchange, or forgotten")
        return web.json_response({"request": request_text(exchange), "answer": exchange.answer})

    async def part(self, request: web.Request) -> web.Response:
        """One part of a received message, counted from 0."""
        exchange = self._archive.of_message(request.match_info["message_id"])
        parts = _parts(exchange) if exchange else ()
        number = int(request.match_info["part"])
        if number >= len(parts):
            raise web.HTTPNotFound(text="no such part, or its message is forgotten")
        charset = parts[number].headers.get_content_charset()
        return web.Response(
            body=parts[number].content, content_type=parts[number].mime_type, charset=charset, headers=GUARDED
        )

    async def release(self, request: web.Request) -> web.Response:
        """Report the held messages of `number`, or all of them."""
        return web.json_response({"released": self._mmsc.release(request.query.get("number", ""))})

    async def mood(self, request: web.Request) -> web.Response:
        """Put the MMSC in the mood of that `name` (behaviour.MOODS)."""
        try:
            self._mmsc.feel(request.query.get("name", ""))
        except KeyError as unknown:
            raise web.HTTPBadRequest(text=f"there is no mood {unknown}") from None
        return web.json_response({})


def _page(path: Path) -> Handler:
    async def page(_: web.Request) -> web.FileResponse:
        return web.FileResponse(path, headers=PAGE)

    return page


def _number(query: Mapping[str, str], name: str) -> float:
    try:
        return float(query.get(name, 0))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name}: {query[name]!r} is no number") from error


def _parts(exchange: Exchange) -> tuple[Part, ...]:
    try:
        return read_submit(exchange.content_type, exchange.body).parts
    except Refused:
        return ()


def _handset(handset: Handset) -> dict[str, object]:
    return asdict(handset) | {"mime_types": sorted(handset.mime_types)}
