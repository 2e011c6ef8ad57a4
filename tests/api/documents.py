"""Requests to the customer API and their answers, as bytes of Sinch XML."""

import time
from collections.abc import Mapping

import redis
from django.conf import settings

from billing.models import Account
from tests.scripted import Response
from tests.wire import photograph

KEY = "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ"
NUMBER = "14044790000"

# Element name -> content as XML; a list repeats the element, None omits it.
Elements = Mapping[str, str | list[str] | None]

SEND: Elements = {
    "action": "sendSavedMMS",
    "api-key": KEY,
    "to": NUMBER,
    "from": "28444",
    "service-id": "12345",
    "mms-id": "35674",
}
SAVE: Elements = {
    "action": "saveMMS",
    "api-key": KEY,
    "name": "Spring",
    "message-subject": "Spring is here",
    "slide": "<message-text>Hello</message-text>",
}


def request(elements: Elements) -> bytes:
    return f"<request>{_inside(elements)}</request>".encode()


def _inside(elements: Elements) -> str:
    repeated = ((name, content if isinstance(content, list) else [content]) for name, content in elements.items())
    flat = ((name, content) for name, contents in repeated for content in contents)
    return "".join(f"<{name}>{content}</{name}>" for name, content in flat if content is not None)


def failure(code: str, info: str, to: str = "") -> bytes:
    repeated = f"<to>{to}</to>" if to else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<response><status>Failure</status><error-code>{code}</error-code>{repeated}"
        f"<error-info>{info}</error-info></response>"
    ).encode()


def image(url: str) -> str:
    return f"<image><url>{url}</url></image>"


def save_request(url: str) -> bytes:
    """Return a saveMMS whose slide has the image at this URL."""
    return request({**SAVE, "slide": image(url.replace("&", "&amp;"))})


def fetch_failure(why: str) -> bytes:
    """Return the failure for an image that could not be fetched."""
    return failure("E351", f"slide 1: the image could not be fetched: {why}")


def file(data: bytes | None = None, content_type: str = "image/jpeg", status: int = 200) -> Response:
    """Return a web server's response with the file, by default a photograph."""
    return Response(status, photograph() if data is None else data, (("Content-Type", content_type),))


def exhaust_rate_limits(account: Account) -> None:
    """Record a sendSavedMMS call one minute in the future, so that every call within this minute exceeds the limits."""
    counts = redis.Redis.from_url(settings.REDIS_URL)
    counts.set(f"rate-limit:{{{account.pk}}}:interval", 1, px=60_000)
    counts.lpush(f"rate-limit:{{{account.pk}}}:sendsavedmms", int((time.time() + 60) * 1_000_000))
