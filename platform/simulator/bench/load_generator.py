"""Load generator, run as a separate process: posts request bodies over keep-alive connections.

`python -m simulator.bench.load_generator URL CONNECTIONS SECONDS [--once] [--until-disconnected]` reads a JSON list of
bodies from standard input, posts them for SECONDS, or once each, and writes the results as a JSON object. Each
connection waits for the response before its next request. A response other than HTTP 200 or a broken connection ends
the process with status 1, or, with --until-disconnected, only that connection.

It uses plain streams because it shares the processors with the measured platform: even the fastest HTTP client needs
several times as much CPU time.
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

# Seconds to wait for outstanding responses after the measured time.
GRACE_PERIOD = 30


class UnexpectedResponse(Exception):
    """The response is not HTTP 200."""


FAILURES = (UnexpectedResponse, OSError, EOFError)


async def main(
    url: str, connections: int, seconds: float, bodies: list[str], *, once: bool, until_disconnected: bool
) -> dict[str, object]:
    """Run all connections and return the responses, their latencies in milliseconds, and the total times."""
    post = _post_until_disconnected if until_disconnected else _post
    encoded = [_encode_request(url, body.encode()) for body in bodies]
    requests = iter(encoded) if once else itertools.cycle(encoded)
    latencies: list[float] = []
    answers: list[str] = []
    begin = time.perf_counter()
    async with asyncio.timeout(seconds + GRACE_PERIOD), asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(post(url, requests, begin + seconds, latencies, answers))
    elapsed = time.perf_counter() - begin
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "seconds": elapsed,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "latencies": latencies,
        "answers": answers,
    }


async def _post(
    url: str, requests: Iterator[bytes], deadline: float, latencies: list[float], answers: list[str]
) -> None:
    """Post requests over one connection until the deadline or the last request."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    while (sent := time.perf_counter()) < deadline and (request := next(requests, None)):
        writer.write(request)
        answers.append(await _read_response(reader))
        latencies.append((time.perf_counter() - sent) * 1000)
    writer.close()
    await writer.wait_closed()


async def _post_until_disconnected(
    url: str, requests: Iterator[bytes], deadline: float, latencies: list[float], answers: list[str]
) -> None:
    with suppress(*FAILURES):
        await _post(url, requests, deadline, latencies, answers)


async def _read_response(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, _, lines = head.partition("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines.splitlines() if line)
    body = (await reader.readexactly(int(headers["content-length"]))).decode()
    if status.split(" ")[1] != "200":
        raise UnexpectedResponse(f"{status}: {body[:500]}")
    return body


def _encode_request(url: str, body: bytes) -> bytes:
    address = urlsplit(url)
    head = (
        f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Content-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


if __name__ == "__main__":
    url, connections, seconds, *options = sys.argv[1:]
    flags = {"once": "--once" in options, "until_disconnected": "--until-disconnected" in options}
    try:
        results = asyncio.run(main(url, int(connections), float(seconds), json.load(sys.stdin), **flags))
    except* FAILURES as errors:
        sys.exit(f"load generator: {errors.exceptions[0]!r}")
    json.dump(results, sys.stdout)
