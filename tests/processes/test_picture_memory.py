"""A web process that gets many large pictures at once needs hardly more memory than for one."""

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from mms.api.slides import CONCURRENT_FETCHES_MAX
from tests.api.documents import SAVE, image, request
from tests.processes.platform_under_test import Platform, Process, eventually, http
from tests.scripted import Response, ScriptedServer

SIDE = 7000  # 49 megapixels, a little less than is allowed


def png(side: int) -> Response:
    """Return a picture of one colour: a few kilobytes, and 3 bytes for each pixel when it is decoded."""
    out = BytesIO()
    Image.new("RGB", (side, side), "teal").save(out, "PNG", compress_level=1)
    return Response(body=out.getvalue(), headers=(("Content-Type", "image/png"),))


def peak(web: Process) -> int:
    """Return the peak memory of the web process in kB."""
    statuses = [Path(f"/proc/{child.pid}/status").read_text().splitlines() for child in web.children()]
    return max(int(line.split()[1]) for status in statuses for line in status if line.startswith("VmHWM:"))


def save(network: Platform, url: str) -> bytes:
    return http(network.web_port, "POST", "/ep/v1/", request({**SAVE, "slide": image(url)}))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs the peak memory of Linux")
def test_parallel_large_pictures_need_the_memory_of_one(
    records: SimpleNamespace, platform: Platform, customer: ScriptedServer
) -> None:
    web = platform.web()
    customer.answer_next(png(10))
    assert b"Success" in save(platform, customer.url)
    idle = peak(web)
    customer.default = png(SIDE)
    assert b"Success" in save(platform, customer.url)
    one = peak(web) - idle
    customer.answering.clear()
    customer.received.clear()
    with ThreadPoolExecutor(CONCURRENT_FETCHES_MAX) as pool:
        calls = [pool.submit(save, platform, customer.url) for _ in range(CONCURRENT_FETCHES_MAX)]
        eventually(lambda: len(customer.received) == CONCURRENT_FETCHES_MAX)
        customer.answering.set()
    assert all(b"Success" in call.result() for call in calls)
    several = peak(web) - idle
    print(f"peak memory: idle {idle} kB, one picture +{one} kB, {CONCURRENT_FETCHES_MAX} in parallel +{several} kB")  # noqa: T201
    assert one > SIDE * SIDE * 3 / 1024 / 2
    assert several < 1.5 * one
