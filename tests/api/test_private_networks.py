"""Private networks: each purpose has its own, and saveMMS does not tell a customer what listens there."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing

import pytest
from django.conf import settings as configured
from pytest_django import Settings

from mms.runtime.http_client import NoReply, Purpose, Reply, Request
from mms.runtime.in_flight import InFlight
from tests.api.documents import fetch_failure, file, save_request
from tests.api.sockets import Handler, read_headers, reset, respond_with, tcp_server
from tests.scripted import ScriptedServer, serving

CallApi = Callable[[bytes], bytes]
NO_FILE = "its server, at a private address, did not deliver a valid file"
NOT_PUBLIC = "its host has no public address"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"


@pytest.fixture
def no_networks(settings: Settings) -> Settings:
    for purpose in Purpose:
        setattr(settings, purpose, [])
    return settings


@pytest.mark.parametrize("allowed", Purpose)
@pytest.mark.parametrize("purpose", [Purpose.MMSC, Purpose.POSTBACK])
def test_network_of_one_purpose_is_closed_to_others(
    no_networks: Settings, customer: ScriptedServer, purpose: Purpose, allowed: Purpose
) -> None:
    setattr(no_networks, allowed, ["127.0.0.0/8"])
    with InFlight[int](1, purpose) as in_flight:
        in_flight.launch(1, Request(customer.url, b"x", {}, 5.0))
        ((_, result),) = in_flight.completed(10)
    assert isinstance(result, Reply if purpose is allowed else NoReply)
    assert len(customer.received) == (purpose is allowed)


@pytest.mark.parametrize("allowed", Purpose)
def test_download_reaches_only_networks_for_downloads(
    no_networks: Settings, allowed: Purpose, call_api: CallApi
) -> None:
    setattr(no_networks, allowed, ["127.0.0.0/8"])
    with serving(file()) as server:
        answer = call_api(save_request(server.url))
        assert len(server.received) == (allowed is Purpose.DOWNLOAD)
    assert b"Success" in answer if allowed is Purpose.DOWNLOAD else answer == fetch_failure(NOT_PUBLIC)


def test_blocked_address_looks_like_an_unknown_host(no_networks: Settings, call_api: CallApi) -> None:
    with tcp_server(respond_with(OK)) as server:
        opened = call_api(save_request(server.url))
        assert server.connections == 0
    closed, unknown = call_api(save_request(server.url)), call_api(save_request("http://nowhere.invalid/a.jpg"))
    assert {opened, closed, unknown} == {fetch_failure(NOT_PUBLIC)}


def closed_at_once(connection: socket.socket) -> None:
    reset(connection)


def silent(connection: socket.socket) -> None:
    read_headers(connection)
    connection.recv(1)


@pytest.mark.parametrize(
    "serve",
    [
        closed_at_once,
        silent,
        respond_with(b"SSH-2.0-OpenSSH_9.2\r\n"),
        respond_with(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        respond_with(b"HTTP/1.1 302 Found\r\nLocation: ftp://a/\r\nContent-Length: 0\r\n\r\n"),
        respond_with(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"),
        respond_with(OK + b"Content-Length: 9000000\r\n\r\n", bytes(9_000_000)),
        respond_with(OK + b"Content-Length: 1\r\n\r\nx"),
    ],
    ids=["reset", "silent", "not HTTP", "404", "redirect", "page", "large", "no picture"],
)
def test_open_private_port_is_answered_like_a_closed_one(
    call_api: CallApi, serve: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mms.content.downloads.TIME_LIMIT", 1.0)
    with tcp_server(serve) as server:
        opened = call_api(save_request(server.url))
        assert server.connections
    assert {opened, call_api(save_request(server.url))} == {fetch_failure(NO_FILE)}


def test_public_redirect_to_a_private_port_tells_nothing(call_api: CallApi, public_loopback: None) -> None:
    with closing(socket.create_server(("127.0.0.2", 0))) as inner:
        port = inner.getsockname()[1]
        head = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:{port}/\r\nContent-Length: 0\r\n\r\n"
        inner.close()
        with tcp_server(respond_with(head.encode())) as server:
            assert call_api(save_request(server.url)) == fetch_failure(NO_FILE)


def test_replaced_setting_stops_the_start_with_its_successors() -> None:
    started = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=configured.BASE_DIR,
        env={**os.environ, "OUTBOUND_ALLOWED_NETWORKS": "10.8.0.0/24"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 1
    assert "OUTBOUND_ALLOWED_NETWORKS is replaced: set MMSC_ALLOWED_NETWORKS to the networks of" in started.stderr
