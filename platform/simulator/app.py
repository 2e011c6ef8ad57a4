"""The web application, put together."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from simulator.customer import Customer
from simulator.log import Archive, Log
from simulator.mmsc import LARGEST_REQUEST, Mmsc
from simulator.pages import Pages
from simulator.reports import Reporter, Sleep

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Settings:
    """`report_url` takes the delivery reports; `authorization` is the header that the MMSC asks for, if any.

    `pause` is how many seconds the MMSC and the customer's server let pass before they take up a request.
    """

    report_url: str
    authorization: str | None = None
    log_file: Path | None = None
    pictures: Path | None = None
    pause: float = 0.0
    sleep: Sleep = asyncio.sleep


def make_app(settings: Settings) -> web.Application:
    """The simulator as an application; it opens its connections when it starts."""
    log, archive = Log(settings.log_file), Archive()
    reporter = Reporter(settings.report_url, log, settings.sleep)
    mmsc = Mmsc(log, archive, reporter, settings.authorization, settings.sleep)
    customer = Customer(log, settings.sleep)

    async def lifetime(_: web.Application) -> AsyncIterator[None]:
        await reporter.open()
        yield
        await mmsc.close()
        await reporter.close()
        log.close()

    app = web.Application(client_max_size=LARGEST_REQUEST)
    app.cleanup_ctx.append(lifetime)
    app.router.add_post("/mm7", _after(settings, mmsc.handle))
    app.router.add_post("/postbacks/{name}", _after(settings, customer.handle))
    app.router.add_routes(Pages(log, archive, mmsc).routes())
    if settings.pictures:
        app.router.add_static("/pictures", settings.pictures)
    return app


def _after(settings: Settings, handle: Handler) -> Handler:
    """The handler, after the pause if there is one."""

    async def late(request: web.Request) -> web.StreamResponse:
        await settings.sleep(settings.pause)
        return await handle(request)

    return late if settings.pause else handle
