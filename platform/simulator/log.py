"""What happened, in memory and in a file, and the bodies of the last messages."""

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
    """Entries numbered by `seq` from 1: the last ones in memory, all of them as JSON lines in a file."""

    def __init__(self, path: Path | None = None, keep: int = 20_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=keep)
        self._file = path.open("a", buffering=1, encoding="utf-8") if path else None
        self._news = asyncio.Event()
        self._seq = 0

    def add(self, kind: str, **facts: Any) -> Entry:
        self._seq += 1
        entry = {
            "seq": self._seq,
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": kind,
            **facts,
        }
        self._entries.append(entry)
        if self._file:
            self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._news.set()
        self._news = asyncio.Event()
        return entry

    def find(self, kind: str = "", number: str = "", since: int = 0) -> list[Entry]:
        """Entries after the number `since`, oldest first, of one kind and one telephone number if given."""
        found: list[Entry] = []
        for entry in reversed(self._entries):
            if entry["seq"] <= since:
                break
            if kind in ("", entry["kind"]) and number in ("", entry.get("number")):
                found.append(entry)
        return found[::-1]

    async def wait(self, seconds: float) -> None:
        """Until the next entry, at most `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    def close(self) -> None:
        if self._file:
            self._file.close()


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to the MMSC and the answer, bodies whole. `head` holds the request line and headers."""

    message_id: str | None
    head: str
    content_type: str
    body: bytes
    answer: str


class Archive:
    """The exchanges of the last messages by the number of their log entry, bounded in count and bytes."""

    def __init__(self, most: int = 3_000, most_bytes: int = 128 * 1024 * 1024) -> None:
        self._exchanges: OrderedDict[int, Exchange] = OrderedDict()
        self._seqs: dict[str, int] = {}
        self._bytes = 0
        self._most = most
        self._most_bytes = most_bytes

    def keep(self, seq: int, exchange: Exchange) -> None:
        self._exchanges[seq] = exchange
        self._bytes += len(exchange.body)
        if exchange.message_id:
            self._seqs[exchange.message_id] = seq
        while len(self._exchanges) > self._most or self._bytes > self._most_bytes:
            self._drop_oldest()

    def exchange(self, seq: int) -> Exchange | None:
        return self._exchanges.get(seq)

    def of_message(self, message_id: str) -> Exchange | None:
        return self._exchanges.get(self._seqs.get(message_id, 0))

    def _drop_oldest(self) -> None:
        _, exchange = self._exchanges.popitem(last=False)
        self._bytes -= len(exchange.body)
        self._seqs.pop(exchange.message_id or "", None)
