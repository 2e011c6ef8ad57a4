"""The conformance suite runs against a test server, or with --base-url against any other server.

That server must have an account with the key, sender address and service given by the options, whose defaults are those
of the demo.
"""

import pytest
import yaml
from lxml import etree

from tests.api.documents import KEY, NUMBER
from tests.conformance.clients import Client, Get, Json, Server, Sinch, Skycore


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("conformance")
    group.addoption("--base-url", help="the server to test, such as http://127.0.0.1:8000")
    group.addoption("--api-key", default=KEY)
    group.addoption("--sender", default="28444")
    group.addoption("--service", default="12345")
    group.addoption("--number", default=NUMBER, help="the recipient of the messages")


def _option(request: pytest.FixtureRequest, name: str, default: str = "") -> str:
    # The option is unknown if all of tests/ is run: pytest parses options before it loads this file.
    return request.config.getoption(name, default=None) or default


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Server:
    url = _option(request, "--base-url").rstrip("/")
    if not url:
        url = request.getfixturevalue("live_server").url
        request.getfixturevalue("records")
    return Server(
        url,
        key=_option(request, "--api-key", KEY),
        sender=_option(request, "--sender", "28444"),
        service=_option(request, "--service", "12345"),
        number=_option(request, "--number", NUMBER),
    )


# Dialect -> its client, and the name of its XML schema.
XML: dict[str, tuple[type[Sinch] | type[Skycore], str]] = {
    "sinch": (Sinch, "sinch"),
    "skycore": (Skycore, "skycore"),
    "get": (Get, "skycore"),
}


@pytest.fixture(params=[*XML, "json"])
def client(request: pytest.FixtureRequest, server: Server) -> Client:
    if request.param == "json":
        return Json(server, yaml.safe_load(server.fetch("/ep/v2/openapi.yaml")))
    client_type, schema = XML[request.param]
    document = server.fetch(f"/ep/v1/schema/{schema}.xsd").encode()
    return client_type(server, etree.XMLSchema(etree.fromstring(document)))
