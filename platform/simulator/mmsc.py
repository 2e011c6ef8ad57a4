"""The simulated MMSC: answers submits according to the behaviour of their number, and sends the reports."""

import asyncio
import hmac
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from simulator import log_fields, numbers, soap
from simulator.behaviour import MODES, Answer, Handling, Mode, TransportFailure
from simulator.handset import rejection_reason
from simulator.log import Archive, Entry, Exchange, Log
from simulator.numbers import Subscriber
from simulator.reports import Reporter, Sleep
from simulator.submit import PartialSubmit, Submit, SubmitRefused, guess_context, read_partial_submit, read_submit
from simulator.transactions import Transactions

HANG_SECONDS = 120.0
MAX_REQUEST_BYTES = 16 * 1024 * 1024
XML = "text/xml"


@dataclass(frozen=True, slots=True)
class Decision:
    """Result of one submit. `message_id` is set if the message was accepted, by this attempt or an earlier one."""

    answer: Answer
    message_id: str | None
    attempt: int
    is_duplicate: bool

    @property
    def is_delivered(self) -> bool:
        return self.message_id is not None and not self.is_duplicate


class Mmsc:
    """An MMSC with its subscribers. `authorization` is the required header value, if any."""

    def __init__(self, log: Log, archive: Archive, reporter: Reporter, authorization: str | None, sleep: Sleep) -> None:
        self._log = log
        self._archive = archive
        self._reporter = reporter
        self._authorization = authorization
        self._sleep = sleep
        self._transactions = Transactions()
        self._mode = Mode()
        self._held: dict[str, list[asyncio.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle POST /mm7."""
        if not self._is_authorized(request):
            self._log.add("unauthorised", remote=request.remote)
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="MM7"'})
        body = await self._read(request)
        if body is None:
            return _reset(request)
        try:
            submit = read_submit(request.headers.get("Content-Type", ""), body)
        except SubmitRefused as refused:
            return self._respond_refused(request, body, refused)
        return await self._submit(request, body, submit)

    def release(self, number: str) -> int:
        """Send the reports on the held messages of a number, or of all numbers if empty; return their count."""
        events = [event for held in ([number] if number else list(self._held)) for event in self._held.pop(held, [])]
        for event in events:
            event.set()
        return len(events)

    def set_mode(self, mode: str) -> None:
        """Switch to the mode of this name. Raises KeyError if there is none."""
        self._mode = MODES[mode]
        self._log.add("mode", name=mode)

    async def close(self) -> None:
        """Drop the reports that have not been sent yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_authorized(self, request: web.Request) -> bool:
        if self._authorization is None:
            return True
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), self._authorization.encode())

    async def _read(self, request: web.Request) -> bytes | None:
        """Return the body, or None if the number's behaviour is to reset the connection before reading it all."""
        body = bytearray()
        partial: PartialSubmit | None = None
        async for chunk in request.content.iter_any():
            body += chunk
            if partial is None and (partial := read_partial_submit(bytes(body))) and self._must_reset(partial):
                return None
            if len(body) > MAX_REQUEST_BYTES:
                raise web.HTTPRequestEntityTooLarge(max_size=MAX_REQUEST_BYTES, actual_size=len(body))
        return bytes(body)

    def _must_reset(self, partial: PartialSubmit) -> bool:
        transaction_id = partial.context.transaction_id
        subscriber = numbers.subscriber(partial.recipient)
        answer = self._answer_to(subscriber.behaviour.content, self._transactions.next_attempt(transaction_id))
        if answer.failure is not TransportFailure.RESET_BEFORE_READ:
            return False
        self._log.add(
            "submit",
            number=partial.recipient,
            transaction_id=transaction_id,
            **log_fields.subscriber_fields(subscriber),
            message_id=None,
            attempt=self._transactions.count_attempt(transaction_id),
            duplicate=False,
            failure=answer.failure,
        )
        return True

    def _respond_refused(self, request: web.Request, body: bytes, refused: SubmitRefused) -> web.Response:
        """Answer an invalid request with a Fault."""
        context, partial = guess_context(body), read_partial_submit(body)
        answer = soap.fault(context, refused.code, refused.reason)
        entry = self._log.add(
            "submit",
            number=partial.recipient if partial else "",
            transaction_id=context.transaction_id,
            message_id=None,
            status_code=refused.code,
            violation=refused.reason,
            duplicate=False,
        )
        self._archive_exchange(entry, request, body, answer.decode())
        return _soap_response(answer, fault=True)

    async def _submit(self, request: web.Request, body: bytes, submit: Submit) -> web.StreamResponse:
        subscriber = numbers.subscriber(submit.recipient)
        handling = self._mode.modify_handling(subscriber.handling(submit.is_ddm))
        decision = self._decide(submit.context.transaction_id, handling)
        envelope = _envelope(submit, decision)
        rejected = rejection_reason(subscriber.handset, submit.parts)
        entry = self._record(submit, subscriber, decision, rejected)
        self._archive_exchange(entry, request, body, decision.answer.failure or envelope.decode())
        if decision.is_delivered and submit.wants_report:
            if rejected:
                handling = numbers.reject(handling)
            reports = self._report(submit, entry["message_id"], subscriber, handling)
            await self._send(reports, early=handling.early)
        if decision.answer.failure:
            return await self._fail(request, decision.answer.failure)
        if decision.answer.delay:
            await self._sleep(decision.answer.delay)
        return _soap_response(envelope, fault=decision.answer.fault)

    def _decide(self, transaction_id: str, handling: Handling) -> Decision:
        attempt = self._transactions.count_attempt(transaction_id)
        known = self._transactions.message_id(transaction_id)
        if known:
            return Decision(Answer(), known, attempt, is_duplicate=True)
        answer = self._answer_to(handling, attempt)
        message_id = self._transactions.accept(transaction_id) if answer.is_accepted else None
        return Decision(answer, message_id, attempt, is_duplicate=False)

    def _answer_to(self, handling: Handling, attempt: int) -> Answer:
        return self._mode.modify_answer(handling.answer_to(attempt))

    def _record(self, submit: Submit, subscriber: Subscriber, decision: Decision, rejected: str | None) -> Entry:
        answer = decision.answer
        return self._log.add(
            "submit",
            **log_fields.submit_fields(submit),
            **log_fields.subscriber_fields(subscriber),
            message_id=decision.message_id,
            attempt=decision.attempt,
            duplicate=decision.is_duplicate,
            status_code=None if answer.failure else answer.status_code,
            failure=answer.failure,
            rejected=rejected,
        )

    async def _send(self, reports: Coroutine[Any, Any, None], early: bool) -> None:
        """Send the reports: before the submit is answered if `early`, in the background otherwise."""
        if early:
            await reports
            return
        # The event loop holds only weak references to tasks: keep them until they are done.
        task = asyncio.create_task(reports)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fail(self, request: web.Request, failure: TransportFailure) -> web.StreamResponse:
        match failure:
            case TransportFailure.HTTP_500:
                return web.Response(status=500, text="<html>Internal Server Error</html>", content_type="text/html")
            case TransportFailure.HTTP_503:
                return web.Response(status=503, text="<html>Service Unavailable</html>", content_type="text/html")
            case TransportFailure.GARBAGE:
                return web.Response(text="<html><h1>It works!</h1></html>", content_type="text/html")
            case TransportFailure.HANG:
                await self._sleep(HANG_SECONDS)
        return _reset(request)

    async def _report(self, submit: Submit, message_id: str, subscriber: Subscriber, handling: Handling) -> None:
        """Send the reports on one message, in order, after its delay or its release."""
        if handling.held:
            event = asyncio.Event()
            self._held.setdefault(submit.recipient, []).append(event)
            await event.wait()
        elif not handling.early:
            await self._sleep(handling.delay)
        identity = subscriber.handset.identity if handling.names_handset else None
        for status in handling.reports:
            report = soap.Report(message_id, submit.recipient, submit.sender, status, identity, handling.report_format)
            await self._reporter.send(submit.context, report)

    def _archive_exchange(self, entry: Entry, request: web.Request, body: bytes, answer: str) -> None:
        exchange = Exchange(entry["message_id"], _head(request), request.headers.get("Content-Type", ""), body, answer)
        self._archive.add(entry["seq"], exchange)


def _envelope(submit: Submit, decision: Decision) -> bytes:
    if decision.answer.fault:
        return soap.fault(submit.context, decision.answer.status_code)
    return soap.submit_response(submit.context, decision.answer.status_code, decision.message_id)


def _soap_response(envelope: bytes, fault: bool) -> web.Response:
    """Return the HTTP response; a Fault has status 500 (SOAP 1.1, 6.2)."""
    return web.Response(body=envelope, status=500 if fault else 200, content_type=XML, charset="utf-8")


def _head(request: web.Request) -> str:
    """Return the request line and headers, without credentials."""
    headers = (f"{name}: {value}" for name, value in request.headers.items() if name.lower() != "authorization")
    return "\n".join([f"{request.method} {request.path} HTTP/1.1", *headers])


def _reset(request: web.Request) -> web.Response:
    """Close the connection with a TCP reset, by setting the linger time to zero."""
    if request.transport:
        sock = request.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
