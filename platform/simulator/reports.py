"""Sending delivery reports to the VASP, as an MMSC does (3GPP TS 23.140, 8.7.5)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp

from simulator import soap
from simulator.log import Log

Sleep = Callable[[float], Awaitable[object]]

# Seconds before each further try. Short, because people watch; an MMSC in the world takes minutes to hours.
RETRY_LADDER = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the VASP answered to one try: the HTTP status, or the error that kept it from answering."""

    http_status: int | None
    status_code: int | None
    error: str | None = None

    @property
    def try_again(self) -> bool:
        """MMSCs repeat a report after a broken connection or HTTP 503; any answer in SOAP ends it."""
        return self.http_status in (None, 503)


class Reporter:
    """Posts reports to one URL and logs what came of each. Credentials may stand in the URL."""

    def __init__(self, url: str, log: Log, sleep: Sleep) -> None:
        self._url = url
        self._log = log
        self._sleep = sleep
        self._session: aiohttp.ClientSession

    async def open(self) -> None:
        """Must be called in the running event loop, before the first report."""
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        await self._session.close()

    async def send(self, submitted: soap.Dialect, report: soap.Report) -> None:
        """Send one report, retrying on the ladder; every try carries the same TransactionID and Date."""
        dialect = soap.Dialect(uuid4().hex, submitted.namespace, submitted.version)
        body = soap.delivery_report(dialect, report, datetime.now(UTC))
        tries = 1
        outcome = await self._post(body)
        for pause in RETRY_LADDER:
            if not outcome.try_again:
                break
            await self._sleep(pause)
            tries += 1
            outcome = await self._post(body)
        self._record(dialect, report, outcome, tries)

    async def _post(self, body: bytes) -> Outcome:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        try:
            async with self._session.post(self._url, data=body, headers=headers, timeout=TIMEOUT) as response:
                return Outcome(response.status, soap.status_code(await response.read()))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Outcome(None, None, f"{type(error).__name__}: {error}")

    def _record(self, dialect: soap.Dialect, report: soap.Report, outcome: Outcome, tries: int) -> None:
        self._log.add(
            "report",
            number=report.recipient,
            sender=report.sender,
            message_id=report.message_id,
            transaction_id=dialect.transaction_id,
            mm_status=report.status,
            handset=report.handset,
            tries=tries,
            http_status=outcome.http_status,
            status_code=outcome.status_code,
            error=outcome.error,
        )
