"""Customers of the chaos test: send the requests on schedule, and repeat unanswered ones under the same key.

They record the answers they receive; the platform is checked against these.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp

from simulator.chaos.dialects import Fields, HttpRequest, ParsedAnswer, build_request, parse_answer
from simulator.chaos.sample_data import SERVICE, Customer
from simulator.chaos.send_requests import Endpoint, SendRequest
from simulator.demo.http_client import HOST
from simulator.demo.sample_data import SENDER

# Seconds before each retry of a request with a key, after which the customer gives up.
RETRY_SCHEDULE = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# Maximum of concurrent requests, so that waiting customers do not overload a server that restarts.
CONNECTIONS = 32
TIMEOUT = aiohttp.ClientTimeout(total=20)
# The shortest timeout that the API allows.
DDM_TIMEOUT = timedelta(minutes=1)
DDM = "This message is free of charge and tells us what your telephone can show."


@dataclass(slots=True)
class SendResult:
    """Result of a send request: the tracking ID of each Success, or the error code of a refusal.

    `unanswered` counts the attempts whose connection failed, `unavailable` those answered with E503;
    `unexpected_answer` is an answer that violates the API.
    """

    reference: str
    keyed: bool
    tracking_ids: list[str] = field(default_factory=list)
    error_code: str = ""
    unanswered: int = 0
    unavailable: int = 0
    unexpected_answer: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether the customer knows the result."""
        return bool(self.tracking_ids or self.error_code)


class Customers:
    """All customers, in one thread; `results` grows while they send."""

    def __init__(self, port: int, pictures: str, customers: Sequence[Customer], expiry: datetime) -> None:
        """Set the URL of the simulator's pictures, and the expiry of the requests that have one."""
        self._url = f"http://{HOST}:{port}"
        self._picture = f"{pictures}/pictures/night.jpg"
        self._customers = customers
        self._expiry = expiry
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self.results: list[SendResult] = []

    def send(self, requests: Sequence[SendRequest], start: float) -> Future[None]:
        """Send the requests in a separate thread; `start` (of time.monotonic) is time 0 of their schedule.

        The future is done after the last request, or holds the exception that stopped the thread.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="customers")
        sending = thread.submit(asyncio.run, self._send_all(requests, start))
        thread.shutdown(wait=False)
        return sending

    async def _send_all(self, requests: Sequence[SendRequest], start: float) -> None:
        # No connection is reused, because the client repeats a GET on its own when a reused connection fails.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session, asyncio.TaskGroup() as group:
            for request in requests:
                await asyncio.sleep(start + request.at - time.monotonic())
                result = SendResult(request.reference, request.keyed)
                self.results.append(result)
                group.create_task(self._send(session, request, result))

    async def _send(self, session: aiohttp.ClientSession, request: SendRequest, result: SendResult) -> None:
        http_request = self._build(request)
        await self._attempt(session, http_request, result)
        for delay in RETRY_SCHEDULE if request.keyed else ():
            if result.is_answered or result.unexpected_answer:
                break
            await asyncio.sleep(delay)
            await self._attempt(session, http_request, result)
        if request.repeated and result.tracking_ids:
            await self._attempt(session, http_request, result)

    async def _attempt(self, session: aiohttp.ClientSession, request: HttpRequest, result: SendResult) -> None:
        try:
            async with (
                self._connections,
                session.request(
                    request.method, self._url + request.path, data=request.body, headers=request.headers
                ) as answer,
            ):
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            result.unanswered += 1
        else:
            _record_answer(result, status, parse_answer(body), body)

    def _build(self, request: SendRequest) -> HttpRequest:
        customer = self._customers[request.account]
        headers = {"Idempotency-Key": request.reference} if request.keyed else {}
        return build_request(request.endpoint, customer.key, self._fields(request, customer), headers)

    def _fields(self, request: SendRequest, customer: Customer) -> Fields:
        fields: list[tuple[str, str | Fields]] = [
            ("action", "sendMMS" if request.inline else "sendSavedMMS"),
            ("to", request.number),
            ("from", SENDER),
            ("service-id", SERVICE),
            ("client-reference", request.reference),
        ]
        if request.inline:
            image: Fields = [("url", self._picture)]
            slide: Fields = [("image", image), ("message-text", "Good night from the shore.")]
            fields += [("name", "Inline"), ("message-subject", "Good night"), ("slide", slide)]
        else:
            fields += [("mms-id", customer.mms_id)]
        if request.discovers:
            minutes = str(DDM_TIMEOUT // timedelta(minutes=1))
            fields += [("ddm-message-text", DDM), ("ddm-message-timeout", minutes)]
            fields += [("ddm-force", _flag(request.forces_ddm))]
        if request.expires:
            fields += [("mms-expiry-timestamp", self._expiry.isoformat(timespec="seconds"))]
        return fields


def _flag(on: bool) -> str:
    return "true" if on else "false"


def _record_answer(result: SendResult, status: int, answer: ParsedAnswer, body: bytes) -> None:
    if status == 200 and answer.status == "Success" and answer.tracking_id:
        result.tracking_ids.append(answer.tracking_id)
    elif status == 200 and answer.status == "Failure" and answer.code:
        result.error_code = answer.code
    elif answer.code == "E503":
        result.unavailable += 1
    else:
        result.unexpected_answer = f"HTTP {status}: {body[:300].decode('utf-8', 'replace')}"


def build_save_request(endpoint: Endpoint, key: str, pictures: Sequence[str]) -> HttpRequest:
    """Return the request that stores a template with one slide per picture."""
    slides: list[tuple[str, str | Fields]] = [
        ("slide", [("image", [("url", url)]), ("message-text", "Hello {{firstname|there}}")]) for url in pictures
    ]
    return build_request(
        endpoint, key, [("action", "saveMMS"), ("name", "Chaos"), ("message-subject", "Chaos"), *slides], {}
    )


def count_results(results: Sequence[SendResult]) -> Mapping[str, int]:
    """Return the number of requests by result."""
    return {
        "sent": len(results),
        "acknowledged": sum(bool(result.tracking_ids) for result in results),
        "refused": sum(bool(result.error_code) for result in results),
        "unanswered": sum(not result.is_answered for result in results),
    }
