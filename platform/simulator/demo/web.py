"""HTTP to the demo's own servers on loopback."""

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

from lxml import etree

from simulator.demo.processes import DemoError

HOST = "127.0.0.1"
TIMEOUT = 30.0  # seconds


class NoAnswer(DemoError):
    """A server of the demo's does not answer."""


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The HTTP status and body of the answer. Raises NoAnswer without one."""
    connection = HTTPConnection(HOST, port, timeout=TIMEOUT)
    try:
        connection.request(method, path, body, {"Content-Type": "text/xml; charset=utf-8"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException) as error:
        raise NoAnswer(f"no answer from {HOST}:{port} to {method} {path}: {error}") from error
    finally:
        connection.close()


def answers(port: int, path: str) -> bool:
    """Whether anything is answered there."""
    try:
        ask(port, "GET", path)
    except NoAnswer:
        return False
    return True


def call(port: int, request: bytes) -> dict[str, str]:
    """The fields of the customer API's answer to a request in XML, in their order."""
    _, body = ask(port, "POST", "/ep/v1/", request)
    return {str(field.tag): field.text or "" for field in etree.fromstring(body)}


def log(port: int, since: int) -> list[dict[str, Any]]:
    """The simulator's log after the entry of that number."""
    _, body = ask(port, "GET", f"/log?since={since}")
    entries: list[dict[str, Any]] = json.loads(body)
    return entries
