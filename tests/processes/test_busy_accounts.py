"""An account that reads and previews as fast as it can leaves the others their share of a web process."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Event
from types import SimpleNamespace

import pytest

from billing import keys
from billing.models import Account, SenderAddress, Service
from config.embedded.ports import HOST
from mms.api.get_mms_templates import ITEMS_MAX
from mms.models import Slide, SlideMedium, Template, TextArea
from tests.processes.messages import number, request
from tests.processes.platform_under_test import Platform, eventually

BUSY, QUIET = 32, 4  # connections
READS = 20  # answers to the busy account that end a run


@pytest.fixture
def busy_key(records: SimpleNamespace) -> str:
    """The key of a second account, which has a thousand templates with pictures to draw texts onto."""
    account = Account.objects.create(name="Busy")
    SenderAddress.objects.create(account=account, address="28445", country="US", default=True)
    Service.objects.create(account=account, code="12345")
    stored = Template.objects.bulk_create(Template(account=account, name=f"Offer {n}") for n in range(ITEMS_MAX))
    slides = Slide.objects.bulk_create(
        Slide(template=template, position=1, duration=5, text="Dear customer") for template in stored
    )
    shown = SlideMedium.objects.bulk_create(SlideMedium(slide=slide, medium=records.medium) for slide in slides)
    TextArea.objects.bulk_create(
        TextArea(
            slide=each.slide, text="Dear {{firstname|customer}}", left=10, top=10, width=500, height=200, font_size=40
        )
        for each in shown
        for _ in range(2)
    )
    return keys.issue(account)


def page(key: str) -> bytes:
    return (
        f"<request><action>getMMSTemplates</action><api-key>{key}</api-key>"
        f"<items-per-page>{ITEMS_MAX}</items-per-page></request>"
    ).encode()


def preview(key: str) -> bytes:
    newest = Template.objects.latest("pk").pk
    return (
        f"<request><action>sendSavedMMS</action><api-key>{key}</api-key><to>{number()}</to><from>28445</from>"
        f"<service-id>12345</service-id><mms-id>{newest}</mms-id><dry-run>true</dry-run></request>"
    ).encode()


@contextmanager
def clients(
    network: Platform, count: int, body: Callable[[], bytes], answered: Counter[str], name: str
) -> Iterator[list[Future[None]]]:
    """Let clients send one request after the other, and count the answers of Success under the name."""
    stop = Event()

    def one() -> None:
        connection = HTTPConnection(HOST, network.web_port, timeout=120)
        while not stop.is_set():
            connection.request("POST", "/ep/v1/", body())
            text = connection.getresponse().read()
            answered[name if b"<status>Success" in text else f"{name} refused"] += 1
        connection.close()

    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(one) for _ in range(count)]
        try:
            yield running
        finally:
            stop.set()


def test_busy_account_leaves_others_their_share(records: SimpleNamespace, network: Platform, busy_key: str) -> None:
    network.web()
    answered: Counter[str] = Counter()
    dry_run, listing = preview(busy_key), page(busy_key)
    with (
        clients(network, BUSY // 2, lambda: listing, answered, "read"),
        clients(network, BUSY // 2, lambda: dry_run, answered, "read"),
    ):
        eventually(lambda: answered["read"] >= 4)
        before = answered["read"]
        with clients(network, QUIET, lambda: request(number()), answered, "accept"):
            eventually(lambda: answered["read"] >= before + READS)
            reads, accepts = answered["read"] - before, answered["accept"]
    assert accepts > 2 * reads
    assert set(answered) == {"read", "accept"}
