"""The simulator's web application."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from simulator.customer import Customer
from simulator.log import Archive, Log
from simulator.mmsc import MAX_REQUEST_BYTES, Mmsc
from simulator.pages import Pages
from simulator.reports import Reporter, Sleep

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the application.

    `report_url` receives the delivery reports; `authorization` is the header value that the MMSC requires, if any;
    `delay` is the number of seconds before the MMSC and the customer server handle a request.
    """

    report_url: str
    authorization: str | None = None
    log_file: Path | None = None
    pictures: Path | None = None
    delay: float = 0.0
    sleep: Sleep = asyncio.sleep


def create_app(settings: Settings) -> web.Application:
    """Create the application; it opens its connections on startup."""
    log, archive = Log(settings.log_file), Archive()
    reporter = Reporter(settings.report_url, log, settings.sleep)
    mmsc = Mmsc(log, archive, reporter, settings.authorization, settings.sleep)
    customer = Customer(log, settings.sleep)

    async def lifespan(_: web.Application) -> AsyncIterator[None]:
        await reporter.open()
        yield
        await mmsc.close()
        await reporter.close()
        log.close()

    app = web.Application(client_max_size=MAX_REQUEST_BYTES)
    app.cleanup_ctx.append(lifespan)
    app.router.add_post("/mm7", _delay(settings, mmsc.handle))
    app.router.add_post("/postbacks/{name}", _delay(settings, customer.handle))
    app.router.add_routes(Pages(log, archive, mmsc).routes())
    if settings.pictures:
        app.router.add_static("/pictures", settings.pictures)
    return app


def _delay(settings: Settings, handle: Handler) -> Handler:
    """Return the handler with the configured delay, if any."""

    async def delayed(request: web.Request) -> web.StreamResponse:
        await settings.sleep(settings.delay)
        return await handle(request)

    return delayed if settings.delay else handle
