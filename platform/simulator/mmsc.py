"""The MMSC: takes submits, answers each as its number wants it, and has the reports sent."""

import asyncio
import hmac
import socket
import struct
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from simulator import facts, numbers, soap
from simulator.behaviour import Answer, Fate, Trouble
from simulator.handset import refusal
from simulator.log import Archive, Entry, Exchange, Log
from simulator.numbers import Subscriber
from simulator.reports import Reporter, Sleep
from simulator.submit import Glimpse, Refused, Submit, glimpse, guessed_dialect, read_submit
from simulator.transactions import Transactions

HANG_SECONDS = 120.0
LARGEST_REQUEST = 16 * 1024 * 1024
XML = "text/xml"


class Mmsc:
    """One MMSC with its subscribers. `authorization` is the header to ask for, if any."""

    def __init__(self, log: Log, archive: Archive, reporter: Reporter, authorization: str | None, sleep: Sleep) -> None:
        self._log = log
        self._archive = archive
        self._reporter = reporter
        self._authorization = authorization
        self._sleep = sleep
        self._transactions = Transactions()
        self._held: dict[str, list[asyncio.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """POST /mm7."""
        if not self._authorised(request):
            self._log.add("unauthorised", remote=request.remote)
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="MM7"'})
        body = await self._read(request)
        if body is None:
            return _reset(request)
        try:
            submit = read_submit(request.headers.get("Content-Type", ""), body)
        except Refused as refused:
            return self._refuse(request, body, refused)
        return await self._submit(request, body, submit)

    def release(self, number: str) -> int:
        """Let the held messages of a number (of all numbers, if empty) be reported; returns how many."""
        events = [event for held in ([number] if number else list(self._held)) for event in self._held.pop(held, [])]
        for event in events:
            event.set()
        return len(events)

    async def close(self) -> None:
        """Drop the reports that are still to be sent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _authorised(self, request: web.Request) -> bool:
        if self._authorization is None:
            return True
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), self._authorization.encode())

    async def _read(self, request: web.Request) -> bytes | None:
        """The body; nothing, and the rest left unread, where the recipient's number breaks the connection."""
        body = bytearray()
        seen: Glimpse | None = None
        async for chunk in request.content.iter_any():
            body += chunk
            if seen is None and (seen := glimpse(bytes(body))) and self._loses_connection(seen):
                return None
            if len(body) > LARGEST_REQUEST:
                raise web.HTTPRequestEntityTooLarge(max_size=LARGEST_REQUEST, actual_size=len(body))
        return bytes(body)

    def _loses_connection(self, seen: Glimpse) -> bool:
        subscriber = numbers.subscriber(seen.recipient)
        fate = subscriber.behaviour.content
        if fate.answer.trouble is not Trouble.RESET_UNREAD:
            return False
        attempt = self._transactions.next_try(seen.dialect.transaction_id)
        lost = fate.answer_to(attempt).trouble is not None
        if lost:
            self._transactions.count(seen.dialect.transaction_id)
            self._log.add(
                "submit",
                number=seen.recipient,
                transaction_id=seen.dialect.transaction_id,
                message_id=None,
                attempt=attempt,
                trouble=Trouble.RESET_UNREAD,
                duplicate=False,
                behaviour=subscriber.behaviour_digits,
            )
        return lost

    def _refuse(self, request: web.Request, body: bytes, refused: Refused) -> web.Response:
        """A request that breaks MM7 gets a Fault, under HTTP 500 as SOAP 1.1 wants it."""
        dialect, seen = guessed_dialect(body), glimpse(body)
        answer = soap.fault(dialect, refused.code, refused.reason)
        entry = self._log.add(
            "submit",
            number=seen.recipient if seen else "",
            transaction_id=dialect.transaction_id,
            message_id=None,
            status_code=refused.code,
            violation=refused.reason,
            duplicate=False,
        )
        self._keep(entry, request, body, answer.decode())
        return web.Response(body=answer, status=500, content_type=XML, charset="utf-8")

    async def _submit(self, request: web.Request, body: bytes, submit: Submit) -> web.StreamResponse:
        transaction_id = submit.dialect.transaction_id
        subscriber = numbers.subscriber(submit.recipient)
        fate = subscriber.fate(submit.is_ddm)
        attempt = self._transactions.count(transaction_id)
        known = self._transactions.message_id(transaction_id)
        answer = Answer() if known else fate.answer_to(attempt)
        message_id = known or (self._transactions.take(transaction_id) if answer.takes else None)
        refused = refusal(subscriber.handset, submit.parts)
        envelope = _envelope(submit, answer, message_id)
        entry = self._log.add(
            "submit",
            **facts.of_message(submit),
            **facts.of_subscriber(subscriber),
            message_id=message_id,
            attempt=attempt,
            duplicate=known is not None,
            status_code=None if answer.trouble else answer.status_code,
            trouble=answer.trouble,
            refused=refused,
        )
        self._keep(entry, request, body, f"({answer.trouble})" if answer.trouble else envelope.decode())
        reports = None
        if message_id and not known and submit.wants_report:
            course = numbers.refused(fate) if refused else fate
            reports = self._report(submit, message_id, subscriber, course)
        return await self._answer(request, answer, envelope, reports, early=fate.early)

    async def _answer(
        self,
        request: web.Request,
        answer: Answer,
        envelope: bytes,
        reports: Coroutine[Any, Any, None] | None,
        early: bool,
    ) -> web.StreamResponse:
        """Answer, and have the reports sent: before the answer where they are early, else after it."""
        if reports and early:
            await reports
        elif reports:
            self._spawn(reports)
        return await self._trouble(request, answer.trouble) if answer.trouble else _soap_response(answer, envelope)

    async def _trouble(self, request: web.Request, trouble: Trouble) -> web.StreamResponse:
        match trouble:
            case Trouble.HTTP_500:
                return web.Response(status=500, text="<html>Internal Server Error</html>", content_type="text/html")
            case Trouble.HTTP_503:
                return web.Response(status=503, text="<html>Service Unavailable</html>", content_type="text/html")
            case Trouble.GARBAGE:
                return web.Response(text="<html><h1>It works!</h1></html>", content_type="text/html")
            case Trouble.HANG:
                await self._sleep(HANG_SECONDS)
        return _reset(request)

    async def _report(self, submit: Submit, message_id: str, subscriber: Subscriber, fate: Fate) -> None:
        """Send the reports of one message in their order, after its delay or its release."""
        if fate.held:
            event = asyncio.Event()
            self._held.setdefault(submit.recipient, []).append(event)
            await event.wait()
        elif not fate.early:
            await self._sleep(fate.delay)
        identity = subscriber.handset.identity if fate.names_handset else None
        for status in fate.reports:
            report = soap.Report(message_id, submit.recipient, submit.sender, status, identity, fate.shape)
            await self._reporter.send(submit.dialect, report)

    def _keep(self, entry: Entry, request: web.Request, body: bytes, answer: str) -> None:
        exchange = Exchange(entry["message_id"], _head(request), request.headers.get("Content-Type", ""), body, answer)
        self._archive.keep(entry["seq"], exchange)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        # The loop holds tasks only weakly: the set keeps them until they are done.
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _envelope(submit: Submit, answer: Answer, message_id: str | None) -> bytes:
    if answer.fault:
        return soap.fault(submit.dialect, answer.status_code)
    return soap.submit_response(submit.dialect, answer.status_code, message_id)


def _soap_response(answer: Answer, envelope: bytes) -> web.Response:
    return web.Response(body=envelope, status=500 if answer.fault else 200, content_type=XML, charset="utf-8")


def _head(request: web.Request) -> str:
    """The request line and headers, without credentials."""
    headers = (f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "authorization")
    return "\n".join([f"{request.method} {request.path} HTTP/1.1", *headers])


def _reset(request: web.Request) -> web.Response:
    """Close the connection by a TCP reset, which a zero linger time makes of any close."""
    if request.transport:
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
