"""Delivery of reports from the simulated MMSC to the VASP (3GPP TS 23.140, 8.7.5)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp

from simulator import soap
from simulator.log import Log

Sleep = Callable[[float], Awaitable[object]]

# Seconds before each retry. Short for the demo: a real MMSC waits for minutes to hours.
RETRY_SCHEDULE = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
TIMEOUT = aiohttp.ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one attempt: the VASP's HTTP status, or the error if it did not respond."""

    http_status: int | None
    status_code: int | None
    error: str | None = None

    @property
    def should_retry(self) -> bool:
        """Whether the MMSC repeats the report: after a broken connection or HTTP 503, not after any SOAP answer."""
        return self.http_status in (None, 503)


class Reporter:
    """Posts reports to one URL, which may contain credentials, and logs the outcome of each."""

    def __init__(self, url: str, log: Log, sleep: Sleep) -> None:
        self._url = url
        self._log = log
        self._sleep = sleep
        self._session: aiohttp.ClientSession

    async def open(self) -> None:
        """Open the HTTP session. Must be called in the running event loop, before the first report."""
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        await self._session.close()

    async def send(self, submitted: soap.RequestContext, report: soap.Report) -> None:
        """Send one report, with retries; every attempt has the same TransactionID and Date."""
        context = soap.RequestContext(uuid4().hex, submitted.namespace, submitted.version)
        body = soap.delivery_report(context, report, datetime.now(UTC))
        attempts = 1
        outcome = await self._post(body)
        for delay in RETRY_SCHEDULE:
            if not outcome.should_retry:
                break
            await self._sleep(delay)
            attempts += 1
            outcome = await self._post(body)
        self._record(context, report, outcome, attempts)

    async def _post(self, body: bytes) -> Outcome:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}
        try:
            async with self._session.post(self._url, data=body, headers=headers, timeout=TIMEOUT) as response:
                return Outcome(response.status, soap.status_code(await response.read()))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Outcome(None, None, f"{type(error).__name__}: {error}")

    def _record(self, context: soap.RequestContext, report: soap.Report, outcome: Outcome, attempts: int) -> None:
        self._log.add(
            "report",
            number=report.recipient,
            sender=report.sender,
            message_id=report.message_id,
            transaction_id=context.transaction_id,
            mm_status=report.status,
            handset=report.handset,
            attempts=attempts,
            http_status=outcome.http_status,
            status_code=outcome.status_code,
            error=outcome.error,
        )
