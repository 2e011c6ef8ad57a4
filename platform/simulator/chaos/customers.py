"""The customers: each order is sent at its moment; what is not answered is sent again under the same key, or given up.

They know what they were told and nothing else, and that is what the platform is held to.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import aiohttp

from simulator.chaos.orders import Door, Order
from simulator.chaos.requests import Fields, Read, Written, read, write
from simulator.chaos.world import SERVICE, Customer
from simulator.demo.http_client import HOST
from simulator.demo.sample_data import SENDER

# Seconds before each further try of an order under a key; then its customer gives up.
RETRY_SCHEDULE = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
# Requests at once: customers who all wait for a server that is away must not bury it when it comes back.
CONNECTIONS = 32
TIMEOUT = aiohttp.ClientTimeout(total=20)
# A minute is the shortest that there is.
DDM_TIMEOUT = timedelta(minutes=1)
DDM = "This message is free of charge and tells us what your telephone can show."


@dataclass(slots=True)
class Asked:
    """An order and what its customer was told: the tracking id of each Success, the code of a refusal.

    `unanswered` counts the tries whose connection died, `unavailable` those that were answered E503; `strange` is
    an answer that is none of the protocol's.
    """

    reference: str
    keyed: bool
    acknowledged: list[str] = field(default_factory=list)
    refused: str = ""
    unanswered: int = 0
    unavailable: int = 0
    strange: str = ""

    @property
    def known(self) -> bool:
        """Whether its customer knows what became of it."""
        return bool(self.acknowledged or self.refused)


class Customers:
    """All customers in one thread; `asked` grows while they send."""

    def __init__(self, port: int, pictures: str, customers: Sequence[Customer], expiry: datetime) -> None:
        """`pictures`: where the one of inline content is; `expiry`: that of the orders that have one."""
        self._url = f"http://{HOST}:{port}"
        self._picture = f"{pictures}/pictures/night.jpg"
        self._customers = customers
        self._expiry = expiry
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self.asked: list[Asked] = []

    def send(self, orders: Sequence[Order], start: float) -> Future[None]:
        """Sends the orders from the moment `start` (of time.monotonic) on, in a thread of their own.

        The future is done when that ends: with the last order, or with what broke it.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix="customers")
        sending = thread.submit(asyncio.run, self._all(orders, start))
        thread.shutdown(wait=False)
        return sending

    async def _all(self, orders: Sequence[Order], start: float) -> None:
        # Never on a connection that was used before: there, the client would repeat a GET by itself.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session, asyncio.TaskGroup() as group:
            for order in orders:
                await asyncio.sleep(start + order.at - time.monotonic())
                asked = Asked(order.reference, order.keyed)
                self.asked.append(asked)
                group.create_task(self._order(session, order, asked))

    async def _order(self, session: aiohttp.ClientSession, order: Order, asked: Asked) -> None:
        written = self._written(order)
        await self._try(session, written, asked)
        for pause in RETRY_SCHEDULE if order.keyed else ():
            if asked.known or asked.strange:
                break
            await asyncio.sleep(pause)
            await self._try(session, written, asked)
        if order.doubled and asked.acknowledged:
            await self._try(session, written, asked)

    async def _try(self, session: aiohttp.ClientSession, written: Written, asked: Asked) -> None:
        try:
            async with (
                self._connections,
                session.request(
                    written.method, self._url + written.path, data=written.body, headers=written.headers
                ) as answer,
            ):
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            asked.unanswered += 1
        else:
            _note(asked, status, read(body), body)

    def _written(self, order: Order) -> Written:
        customer = self._customers[order.account]
        headers = {"Idempotency-Key": order.reference} if order.keyed else {}
        return write(order.door, customer.key, self._fields(order, customer), headers)

    def _fields(self, order: Order, customer: Customer) -> Fields:
        fields: list[tuple[str, str | Fields]] = [
            ("action", "sendMMS" if order.inline else "sendSavedMMS"),
            ("to", order.number),
            ("from", SENDER),
            ("service-id", SERVICE),
            ("client-reference", order.reference),
        ]
        if order.inline:
            image: Fields = [("url", self._picture)]
            slide: Fields = [("image", image), ("message-text", "Good night from the shore.")]
            fields += [("name", "Inline"), ("message-subject", "Good night"), ("slide", slide)]
        else:
            fields += [("mms-id", customer.mms_id)]
        if order.discovers:
            minutes = str(DDM_TIMEOUT // timedelta(minutes=1))
            fields += [("ddm-message-text", DDM), ("ddm-message-timeout", minutes)]
            fields += [("ddm-force", _switch(order.forced))]
        if order.expires:
            fields += [("mms-expiry-timestamp", self._expiry.isoformat(timespec="seconds"))]
        return fields


def _switch(on: bool) -> str:
    return "true" if on else "false"


def _note(asked: Asked, status: int, answer: Read, body: bytes) -> None:
    if status == 200 and answer.status == "Success" and answer.tracking_id:
        asked.acknowledged.append(answer.tracking_id)
    elif status == 200 and answer.status == "Failure" and answer.code:
        asked.refused = answer.code
    elif answer.code == "E503":
        asked.unavailable += 1
    else:
        asked.strange = f"HTTP {status}: {body[:300].decode('utf-8', 'replace')}"


def save(door: Door, key: str, pictures: Sequence[str]) -> Written:
    """The request that stores content of these pictures, a slide each."""
    slides: list[tuple[str, str | Fields]] = [
        ("slide", [("image", [("url", url)]), ("message-text", "Hello {{firstname|there}}")]) for url in pictures
    ]
    return write(door, key, [("action", "saveMMS"), ("name", "Chaos"), ("message-subject", "Chaos"), *slides], {})


def progress(asked: Sequence[Asked]) -> Mapping[str, int]:
    """What the customers know so far, in counts."""
    return {
        "sent": len(asked),
        "acknowledged": sum(bool(one.acknowledged) for one in asked),
        "refused": sum(bool(one.refused) for one in asked),
        "without answer": sum(not one.known for one in asked),
    }
