"""Fixtures for all folders: an account, content and a carrier for the delivery of a message, and scripted servers."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test import Client
from pytest_django.plugin import DjangoDbBlocker

from mms.adaptation import images
from mms.runtime import http_client
from tests.scripted import HttpServer, Response, ScriptedServer, started
from tests.wire import IPHONE, photograph, submit_rsp


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Copy the rows that the migrations wrote, to restore them after tests that commit and then empty the tables.

    Django would restore them row by row from JSON, which takes a third of a second each time.
    """
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        tables = [
            table for table in connection.introspection.django_table_names(only_existing=True) if _has_rows(table)
        ]
        cursor.execute("CREATE SCHEMA pristine")
        for table in tables:
            cursor.execute(f"CREATE TABLE pristine.{table} AS SELECT * FROM {table}")

    def restore(_: str) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"INSERT INTO {table} SELECT * FROM pristine.{table} ON CONFLICT DO NOTHING")

    connection.creation.deserialize_db_from_string = restore  # type: ignore[assignment, method-assign]


def _has_rows(table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
        return bool(cursor.fetchone()[0])


@pytest.fixture(scope="session")
def mmsc_server() -> Iterator[HttpServer]:
    with started() as server:
        yield server


@pytest.fixture(scope="session")
def customer_server() -> Iterator[HttpServer]:
    with started() as server:
        yield server


@pytest.fixture
def public_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 127.0.0.1 count as public: of servers at private addresses, no failure is explained."""
    is_public = http_client.is_public
    monkeypatch.setattr(http_client, "is_public", lambda address: address == "127.0.0.1" or is_public(address))


@pytest.fixture
def mmsc(mmsc_server: HttpServer) -> Iterator[ScriptedServer]:
    """The MMSC: accepts every submit, with the MessageIDs M1, M2, ..., unless scripted otherwise."""
    with mmsc_server.new_script(Response(status=500)) as scripted:
        scripted.script.extend(submit_rsp(f"M{number}") for number in range(1, 50))
        yield scripted


@pytest.fixture
def customer(customer_server: HttpServer) -> Iterator[ScriptedServer]:
    """The customer's server for postbacks: HTTP 200 unless scripted otherwise."""
    with customer_server.new_script(Response()) as scripted:
        yield scripted


@pytest.fixture
def records(db: None, mmsc: ScriptedServer, customer: ScriptedServer) -> SimpleNamespace:
    """The account, sender address, service and template of the seed request, and the carrier of its number."""
    from billing import keys
    from billing.models import Account, SenderAddress, Service
    from handsets.models import Handset, Profile
    from mms.models import Carrier, Medium, NumberPrefix, Slide, SlideMedium, Template

    account = Account.objects.create(name="Customer", postback_url=f"{customer.url}/postbacks")
    keys.issue(account, "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ")
    SenderAddress.objects.create(account=account, address="28444", country="US", default=True)
    service = Service.objects.create(account=account, code="12345")
    carrier = Carrier.objects.create(
        name="AT&T",
        slug="att",
        operator_id=31002,
        mmsc_url=f"{mmsc.url}/mm7",
        mmsc_username="us",
        mmsc_password="secret",
        vaspid="vasp",
        vasid="vas",
        message_bytes=1_048_576,
        timeout=30,  # long enough for a busy machine
        inbound_username="mmsc",
        inbound_password="report-secret",
    )
    NumberPrefix.objects.create(prefix="1", carrier=carrier)
    # The template gets the seed's mms-id; templates stored by a test get the ids after it.
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('mms_template', 'id'), 35674, false)")
    template = Template.objects.create(account=account, name="Spring", subject="Spring is here")
    picture = images.inspect(photograph())
    medium = Medium.objects.create(
        sha256=picture.sha256, kind="image", mime_type="image/jpeg", size=picture.size, width=800, height=600, coding=[]
    )
    medium.file.save(f"media/{picture.sha256}", ContentFile(photograph()))
    slide = Slide.objects.create(template=template, position=1, duration=10, text="Dear {{firstname|customer}}")
    SlideMedium.objects.create(slide=slide, medium=medium, source_url="http://customer.example/a.jpg")
    Slide.objects.create(template=template, position=2, duration=5, text="Your number is {{accountnumber|unknown}}.")
    profile = Profile.objects.create(
        name="iPhone", parent=Profile.objects.get(generic=True), image_width=1600, image_height=1600,
        screen_width=320, screen_height=480, message_bytes=1_000_000,
    )  # fmt: skip
    iphone = Handset.objects.create(identity=IPHONE, profile=profile)
    return SimpleNamespace(
        account=account, carrier=carrier, template=template, service=service, medium=medium, iphone=iphone
    )


@pytest.fixture
def post(records: SimpleNamespace) -> Callable[[str], bytes]:
    """Return a function that posts a request to the customer API, and returns the body of the answer."""

    def post(xml: str) -> bytes:
        answer = Client().post("/ep/v1/", xml.encode(), content_type="text/xml")
        assert answer.status_code == 200, answer.content
        return bytes(answer.content)

    return post
