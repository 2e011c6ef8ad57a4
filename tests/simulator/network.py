"""Helpers: a simulator on a real socket, a VASP that receives its delivery reports, and captured submits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from lxml import etree

from simulator.app import Settings, create_app

SAMPLES = Path(__file__).parent.parent / "samples" / "mm7"
MM7 = "http://www.3gpp.org/ftp/Specs/archive/23_series/23.140/schema/REL-6-MM7-1-4"
ACCEPTED = (
    f'<Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body><DeliveryReportRsp xmlns="{MM7}">'
    "<Status><StatusCode>1000</StatusCode></Status></DeliveryReportRsp></Body></Envelope>"
)


@dataclass(frozen=True, slots=True)
class Captured:
    """An HTTP request as recorded: header lines, an empty line, the body."""

    headers: dict[str, str]
    body: bytes

    def replacing(self, old: bytes, new: bytes) -> "Captured":
        assert old in self.body, f"{old!r} is not in the sample"
        return Captured(self.headers, self.body.replace(old, new))

    def to(self, number: str, transaction: str = "tx-1") -> "Captured":
        """Return the same request for another number, in another transaction."""
        addressed = self.replacing(b"14044790000", number.encode())
        start, end = addressed.body.index(b'"1">') + 4, addressed.body.index(b"</mm7:TransactionID>")
        return Captured(self.headers, addressed.body[:start] + transaction.encode() + addressed.body[end:])


def sample(name: str) -> Captured:
    head, _, body = (SAMPLES / f"sim_submit_{name}.mm7").read_bytes().partition(b"\r\n\r\n")
    return Captured(dict(line.split(": ", 1) for line in head.decode().split("\r\n")), body)


@dataclass
class Vasp:
    """Receives reports like the platform; answers with `statuses` first, then with 200."""

    statuses: list[int] = field(default_factory=list)
    reports: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    authorization: str | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.authorization = request.headers.get("Authorization")
        self.reports.put_nowait(await request.read())
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, text=ACCEPTED if status == 200 else "", content_type="text/xml")

    async def next_report(self) -> "Report":
        """Return the next report; fail the test if none arrives."""
        return Report(await asyncio.wait_for(self.reports.get(), 5))


class Report:
    """A delivery report; its fields are accessible by local name."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self._root = etree.fromstring(body)

    def __getitem__(self, name: str) -> str:
        found = self._root.find(f".//{{*}}{name}")
        assert found is not None, f"{name} is missing in {self.body!r}"
        return "".join(str(text) for text in found.itertext())

    @property
    def handset(self) -> str | None:
        capabilities = self._root.find(".//{*}UACapabilities")
        return None if capabilities is None else capabilities.get("UAProf")


@dataclass
class Network:
    """A running simulator with its client and VASP; `delays` are the seconds it would have slept."""

    client: "TestClient[web.Request, web.Application]"
    vasp: Vasp
    delays: list[float]

    async def submit(self, request: Captured) -> tuple[int, bytes]:
        async with self.client.post("/mm7", data=request.body, headers=request.headers) as answer:
            return answer.status, await answer.read()

    async def log(self, kind: str, wait: int = 0, **query: str) -> list[dict[str, Any]]:
        async with self.client.get("/log", params={"kind": kind, "wait": wait, **query}) as answer:
            entries: list[dict[str, Any]] = await answer.json()
            return entries

    async def last_submit(self) -> dict[str, Any]:
        return (await self.log("submit"))[-1]


@asynccontextmanager
async def network(
    *statuses: int,
    report_url: str = "",
    report_user: str | None = None,
    authorization: str | None = None,
    log_file: Path | None = None,
    pictures: Path | None = None,
) -> AsyncIterator[Network]:
    """Run a simulator that never sleeps, and its VASP, which answers the first reports with `statuses`."""
    delays: list[float] = []

    async def record_delay(seconds: float) -> None:
        delays.append(seconds)

    vasp = Vasp(list(statuses))
    listener = web.Application()
    listener.router.add_post("/reports", vasp.handle)
    async with TestServer(listener) as server:
        url = report_url or str(server.make_url("/reports").with_user(report_user))
        app = create_app(Settings(url, authorization, log_file, pictures, sleep=record_delay))
        async with TestClient(TestServer(app)) as client:
            yield Network(client, vasp, delays)


def status_code(answer: bytes) -> str | None:
    return etree.fromstring(answer).findtext(".//{*}StatusCode")


def message_id(answer: bytes) -> str:
    return etree.fromstring(answer).findtext(".//{*}MessageID") or ""
