"""The load generator's process: posts the bodies it is given, over connections that stay open.

`python -m simulator.bench.generator URL CONNECTIONS SECONDS [--once] [--until-broken]` reads a JSON list of bodies from
standard input, posts them in turns, each connection waiting for its answer, and writes what it saw as one JSON object:
for so many seconds, or until each body was posted once. It ends with status 1 and a sentence if an answer is not HTTP
200 or a connection breaks; where that is to be expected, it only ends the connection.

Plain streams and no HTTP client: it shares the processors with what it measures, and the quickest client takes
several times as much.
"""

import asyncio
import itertools
import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

# Seconds on top of the measured ones for the answers that are still to come.
GRACE = 30


class Broken(Exception):
    """An answer that is none."""


BREAKS = (Broken, OSError, EOFError)


async def main(
    url: str, connections: int, seconds: float, bodies: list[str], *, once: bool, until_broken: bool
) -> dict[str, object]:
    """What the connections saw: answers, each one's milliseconds, and the seconds that it all took."""
    post = _post_until_broken if until_broken else _post
    encoded = [_request(url, body.encode()) for body in bodies]
    requests = iter(encoded) if once else itertools.cycle(encoded)
    latencies: list[float] = []
    answers: list[str] = []
    begin = time.perf_counter()
    async with asyncio.timeout(seconds + GRACE), asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(post(url, requests, begin + seconds, latencies, answers))
    elapsed = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": elapsed,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "latencies": latencies,
        "answers": answers,
    }


async def _post(
    url: str, requests: Iterator[bytes], deadline: float, latencies: list[float], answers: list[str]
) -> None:
    """One connection: a request, its answer, the next request, until the deadline or the last request."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    while (sent := time.perf_counter()) < deadline and (request := next(requests, None)):
        writer.write(request)
        answers.append(await _answer(reader))
        latencies.append((time.perf_counter() - sent) * 1000)
    writer.close()
    await writer.wait_closed()


async def _post_until_broken(
    url: str, requests: Iterator[bytes], deadline: float, latencies: list[float], answers: list[str]
) -> None:
    with suppress(*BREAKS):
        await _post(url, requests, deadline, latencies, answers)


async def _answer(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, _, lines = head.partition("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines.splitlines() if line)
    body = (await reader.readexactly(int(headers["content-length"]))).decode()
    if status.split(" ")[1] != "200":
        raise Broken(f"{status}: {body[:500]}")
    return body


def _request(url: str, body: bytes) -> bytes:
    address = urlsplit(url)
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    url, connections, seconds, *options = sys.argv[1:]
    chosen = {"once": "--once" in options, "until_broken": "--until-broken" in options}
    try:
        seen = asyncio.run(main(url, int(connections), float(seconds), json.load(sys.stdin), **chosen))
    except* BREAKS as problems:
        sys.exit(f"the load generator: {problems.exceptions[0]!r}")
    json.dump(seen, sys.stdout)
