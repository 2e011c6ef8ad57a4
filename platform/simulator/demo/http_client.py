"""HTTP client for the local servers of demo, bench and chaos."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from lxml import etree

from simulator.demo.processes import DemoError

HOST = "127.0.0.1"
TIMEOUT = 30.0  # seconds


class NoResponse(DemoError):
    """A local server does not respond."""


def send_request(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Send a request and return status and body of the response. Raises NoResponse."""
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, {"Content-Type": "text/xml; charset=utf-8"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException) as error:
        raise NoResponse(f"no response from {HOST}:{port} to {method} {path}: {error}") from error
    finally:
        connection.close()


def is_responding(port: int, path: str) -> bool:
    """Return whether a GET of the path gets any HTTP response."""
    try:
        send_request(port, "GET", path)
    except NoResponse:
        return False
    return True


def call_api(port: int, request: bytes) -> dict[str, str]:
    """Send an XML request to the customer API and return the fields of the answer, in order."""
    _, body = send_request(port, "POST", "/ep/v1/", request)
    return {str(field.tag): field.text or "" for field in etree.fromstring(body)}


def read_log(port: int, since: int) -> list[dict[str, Any]]:
    """Return the entries of the simulator's log after sequence number `since`."""
    _, body = send_request(port, "GET", f"/log?since={since}")
    entries: list[dict[str, Any]] = json.loads(body)
    return entries
