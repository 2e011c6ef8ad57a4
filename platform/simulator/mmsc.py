"""The MMSC: takes submits, answers each as its number wants it, and has the reports sent."""

import asyncio
import hmac
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from simulator import facts, numbers, soap
from simulator.behaviour import MOODS, Answer, Fate, Mood, Trouble
from simulator.handset import refusal
from simulator.log import Archive, Entry, Exchange, Log
from simulator.numbers import Subscriber
from simulator.reports import Reporter, Sleep
from simulator.submit import Glimpse, Refused, Submit, glimpse, guessed_dialect, read_submit
from simulator.transactions import Transactions

HANG_SECONDS = 120.0
LARGEST_REQUEST = 16 * 1024 * 1024
XML = "text/xml"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one try to submit comes to. `message_id` is set where the message is taken, by this try or before."""

    answer: Answer
    message_id: str | None
    attempt: int
    duplicate: bool

    @property
    def delivers(self) -> bool:
        return self.message_id is not None and not self.duplicate


class Mmsc:
    """One MMSC with its subscribers. `authorization` is the header to ask for, if any."""

    def __init__(self, log: Log, archive: Archive, reporter: Reporter, authorization: str | None, sleep: Sleep) -> None:
        self._log = log
        self._archive = archive
        self._reporter = reporter
        self._authorization = authorization
        self._sleep = sleep
        self._transactions = Transactions()
        self._mood = Mood()
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

    def feel(self, mood: str) -> None:
        """Be in the mood of that name from now on. Raises KeyError where there is none."""
        self._mood = MOODS[mood]
        self._log.add("mood", name=mood)

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
        transaction_id = seen.dialect.transaction_id
        subscriber = numbers.subscriber(seen.recipient)
        answer = self._answer(subscriber.behaviour.content, self._transactions.next_try(transaction_id))
        if answer.trouble is not Trouble.RESET_UNREAD:
            return False
        self._log.add(
            "submit",
            number=seen.recipient,
            transaction_id=transaction_id,
            **facts.of_subscriber(subscriber),
            message_id=None,
            attempt=self._transactions.count(transaction_id),
            duplicate=False,
            trouble=answer.trouble,
        )
        return True

    def _refuse(self, request: web.Request, body: bytes, refused: Refused) -> web.Response:
        """A request that breaks MM7 gets a Fault."""
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
        return _soap_response(answer, fault=True)

    async def _submit(self, request: web.Request, body: bytes, submit: Submit) -> web.StreamResponse:
        subscriber = numbers.subscriber(submit.recipient)
        fate = self._mood.fate(subscriber.fate(submit.is_ddm))
        decision = self._decide(submit.dialect.transaction_id, fate)
        envelope = _envelope(submit, decision)
        refused = refusal(subscriber.handset, submit.parts)
        entry = self._record(submit, subscriber, decision, refused)
        self._keep(entry, request, body, decision.answer.trouble or envelope.decode())
        if decision.delivers and submit.wants_report:
            reports = self._report(submit, entry["message_id"], subscriber, numbers.refused(fate) if refused else fate)
            await self._send(reports, at_once=fate.early)
        if decision.answer.trouble:
            return await self._trouble(request, decision.answer.trouble)
        if decision.answer.wait:
            await self._sleep(decision.answer.wait)
        return _soap_response(envelope, fault=decision.answer.fault)

    def _decide(self, transaction_id: str, fate: Fate) -> Decision:
        attempt = self._transactions.count(transaction_id)
        known = self._transactions.message_id(transaction_id)
        if known:
            return Decision(Answer(), known, attempt, duplicate=True)
        answer = self._answer(fate, attempt)
        message_id = self._transactions.take(transaction_id) if answer.takes else None
        return Decision(answer, message_id, attempt, duplicate=False)

    def _answer(self, fate: Fate, attempt: int) -> Answer:
        return self._mood.answer(fate.answer_to(attempt))

    def _record(self, submit: Submit, subscriber: Subscriber, decision: Decision, refused: str | None) -> Entry:
        answer = decision.answer
        return self._log.add(
            "submit",
            **facts.of_message(submit),
            **facts.of_subscriber(subscriber),
            message_id=decision.message_id,
            attempt=decision.attempt,
            duplicate=decision.duplicate,
            status_code=None if answer.trouble else answer.status_code,
            trouble=answer.trouble,
            refused=refused,
        )

    async def _send(self, reports: Coroutine[Any, Any, None], at_once: bool) -> None:
        """Have the reports sent: now, while the submit waits for its answer, or beside and after it."""
        if at_once:
            await reports
            return
        # The loop holds tasks only weakly: the set keeps them until they are done.
        task = asyncio.create_task(reports)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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


def _envelope(submit: Submit, decision: Decision) -> bytes:
    if decision.answer.fault:
        return soap.fault(submit.dialect, decision.answer.status_code)
    return soap.submit_response(submit.dialect, decision.answer.status_code, decision.message_id)


def _soap_response(envelope: bytes, fault: bool) -> web.Response:
    """SOAP 1.1, 6.2: a Fault goes under HTTP 500."""
    return web.Response(body=envelope, status=500 if fault else 200, content_type=XML, charset="utf-8")


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
