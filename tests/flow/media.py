"""Requests with audio and video, and replacements for the encoder's child process."""

import sys
from collections.abc import Callable

from mms.models import Template
from tests.api.documents import Elements
from tests.scripted import ScriptedServer

CallApi = Callable[[Elements], bytes]
Save = Callable[..., Template]


def slide(name: str, web: ScriptedServer) -> str:
    return f"<message-text>Listen</message-text><{name}><url>{web.url}/a</url></{name}>"


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)
