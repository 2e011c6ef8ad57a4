"""Structured logs: one line per event, readable on a terminal or as JSON for a collector.

Events of the platform, Django, Celery and granian have the same format. Every line is masked: phone numbers except
for their last two digits, passwords, keys, secrets in URLs, and the values of a row that the database rejected.
"""

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from structlog.types import Processor

# E.164 digits, with or without +; not inside a word (%2B is none), and not the decimals of a number.
NUMBER: Final = re.compile(r"(?:(?<![0-9A-Za-z.])|(?<=%[2-3][0-9A-F]))\+?\d{5,13}(\d{2})(?![0-9A-Za-z])")
# Digits in groups. Patterns, because every line is searched: a parser of numbers would cost more than the line.
GROUPED: Final = re.compile(
    r"(?:(?<![\w.:/-])|(?<=%[2-3][0-9A-F]))\+?\(?\d{1,7}(?:[ .()+\u00a0\u2010-\u2013-]{1,3}\d{1,7}+){1,9}+(?!\w)"
)
# What may look like a number: a decimal, a date, an IPv4 address.
NO_NUMBER: Final = re.compile(r"\d+\.\d+|[12]\d{3}-[01]\d-[0-3]\d.*|(?:(?:1?\d?\d|2[0-4]\d|25[0-5])(?:\.|$)){4}")
# The user and password of a URL. A password may contain what should have been encoded; digits alone are a port.
USER: Final = re.compile(
    r"""(?<=://)(?:[^/?#\s"'<>@:]{0,500}:(?!\d{1,5}(?:[/?#\s"'<>]|$))[^\s"'<>]{0,500}|[^/?#\s"'<>]{0,500})@"""
)
# A parameter of a URL, also of one that is encoded in another.
PARAMETER: Final = re.compile(
    r"""((?:[?&;#]|%3F|%26)[\w.~\[\]-]{0,100}(?:token|key|secret|sig|pass|pwd|auth|credential)[\w.~\[\]-]{0,100}(?:=|%3D))"""
    r"""[^&;#\s"'<>]+""",
    re.IGNORECASE,
)
REJECTED_ROW: Final = re.compile(r"(?<=Failing row contains ).*", re.DOTALL)
SECRETS: Final = frozenset({"api_key", "authorization", "key", "password", "secret", "token"})
# These log every task, that is, at least one line a second.
NOISY_LOGGERS: Final = ("celery.app.trace", "celery.worker.strategy", "celery.beat")
# At DEBUG these log the parameters of statements and the bytes of connections.
LEAKY_LOGGERS: Final = ("django.db.backends", "asyncio", "kombu", "amqp")


def mask_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask secrets and phone numbers in an event (a structlog processor)."""
    for name, value in event.items():
        if name in SECRETS:
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = mask(value)
    return event


def mask(text: str) -> str:
    """Return the text without secrets in URLs, phone numbers and the values of rejected rows."""
    # Every line is masked, so a cheap search precedes each rare substitution.
    text = mask_secrets(text)
    if "Failing row" in text:
        text = REJECTED_ROW.sub("(...)", text)
    return NUMBER.sub(r"***\1", GROUPED.sub(_mask_grouped, text))


def mask_secrets(text: str) -> str:
    """Return the text without the secrets of its URLs: users and passwords, and parameters such as token=."""
    if "://" in text:
        text = USER.sub("***@", text)
    if "=" in text or "%3" in text:
        text = PARAMETER.sub(r"\1***", text)
    return text


def _mask_grouped(found: re.Match[str]) -> str:
    digits = "".join(filter(str.isdigit, found[0]))
    if len(digits) < 7 or NO_NUMBER.fullmatch(found[0]):
        return found[0]
    return f"***{digits[-2:]}"


SHARED_PROCESSORS: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.format_exc_info,
    mask_event,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def use_json() -> bool:
    """Return whether to log JSON: as LOG_JSON says, or by default unless standard error is a terminal."""
    given = os.environ.get("LOG_JSON", "").lower()
    return given in {"1", "true", "yes", "on"} if given else not sys.stderr.isatty()


def formatter() -> logging.Formatter:
    """Return the formatter of every line; granian.json refers to it."""
    renderer: Processor = structlog.processors.JSONRenderer() if use_json() else structlog.dev.ConsoleRenderer()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED_PROCESSORS,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def configure(level: str) -> None:
    """Send the records of structlog and the standard library through one renderer to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if logging.getLogger().level > logging.DEBUG:
        for name in NOISY_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
    for name in LEAKY_LOGGERS:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    # Our format contains none of these, so they need not be collected (logging HOWTO, Optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
