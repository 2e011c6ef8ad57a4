"""The simulator's log, in memory and in a file, and an archive of the most recent MM7 exchanges."""

import asyncio
import json
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


class Log:
    """Log entries, numbered by `seq` from 1: the most recent in memory, all of them as JSON lines in a file."""

    def __init__(self, path: Path | None = None, max_entries: int = 20_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=max_entries)
        self._file = path.open("a", buffering=1, encoding="utf-8") if path else None
        self._added = asyncio.Event()
        self._seq = 0

    def add(self, kind: str, **fields: Any) -> Entry:
        self._seq += 1
        entry = {
            "seq": self._seq,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            **fields,
        }
        self._entries.append(entry)
        if self._file:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._added.set()
        self._added = asyncio.Event()
        return entry

    def find(self, kind: str = "", number: str = "", since: int = 0) -> list[Entry]:
        """Return the entries after sequence number `since`, oldest first, optionally of one kind and one number."""
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if entry["seq"] <= since:
                break
            if kind in ("", entry["kind"]) and number in ("", entry.get("number")):
                found.append(entry)
        return found[::-1]

    async def wait(self, seconds: float) -> None:
        """Wait for the next entry, for at most `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._added.wait(), seconds)

    def close(self) -> None:
        if self._file:
            self._file.close()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request to the MMSC and its answer, with complete bodies. `head` holds the request line and headers."""

    message_id: str | None
    head: str
    content_type: str
    body: bytes
    answer: str


class Archive:
    """The most recent exchanges by the sequence number of their log entry, limited in count and bytes."""

    def __init__(self, max_count: int = 3_000, max_bytes: int = 128 * 1024 * 1024) -> None:
        self._exchanges: OrderedDict[int, Exchange] = OrderedDict()
        self._seqs: dict[str, int] = {}
        self._bytes = 0
        self._max_count = max_count
        self._max_bytes = max_bytes

    def add(self, seq: int, exchange: Exchange) -> None:
        self._exchanges[seq] = exchange
        self._bytes += len(exchange.body)
        if exchange.message_id:
            self._seqs[exchange.message_id] = seq
        while len(self._exchanges) > self._max_count or self._bytes > self._max_bytes:
            self._drop_oldest()

    def get(self, seq: int) -> Exchange | None:
        return self._exchanges.get(seq)

    def get_by_message_id(self, message_id: str) -> Exchange | None:
        return self._exchanges.get(self._seqs.get(message_id, 0))

    def _drop_oldest(self) -> None:
        _, exchange = self._exchanges.popitem(last=False)
        self._bytes -= len(exchange.body)
        self._seqs.pop(exchange.message_id or "", None)
