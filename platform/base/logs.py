"""Structured logs: one line an event, for people on a terminal or as JSON for a collector.

Our own events, Django's, Celery's and granian's take the same form. What identifies a recipient or opens a door is
taken out of every line on its way: phone numbers but for their last digits, passwords, keys, the values of a row that
the database refused.
"""

import logging
import os
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog
from structlog.types import Processor

# E.164 digits, with or without +; not within a word, and not the decimals of a figure.
NUMBER: Final = re.compile(r"(?<![0-9A-Za-z.])\+?\d{4,12}(\d{3})(?![0-9A-Za-z])")
PASSWORD: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
REFUSED_ROW: Final = re.compile(r"(?<=Failing row contains ).*", re.DOTALL)
SECRETS: Final = frozenset({"api_key", "authorization", "key", "password", "secret", "token"})
# They tell of every task and every ring: a worker's look at its queue each second, that is.
CHATTY: Final = ("celery.app.trace", "celery.worker.strategy", "celery.beat")
# At DEBUG they tell parameters of statements and bytes of connections.
INDISCREET: Final = ("django.db.backends", "asyncio", "kombu", "amqp")


def discreet(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor: takes out what nobody should find in a log."""
    for name, value in event.items():
        if name in SECRETS:
            event[name] = "***"
        elif isinstance(value, str):
            event[name] = masked(value)
    return event


def masked(text: str) -> str:
    # Every line passes here: what is rare is looked for the fast way first.
    if "://" in text:
        text = PASSWORD.sub("***", text)
    if "Failing row" in text:
        text = REFUSED_ROW.sub("(...)", text)
    return NUMBER.sub(r"***\1", text)


SHARED: Final[list[Processor]] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.format_exc_info,
    discreet,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def wants_json() -> bool:
    """LOG_JSON decides; without it, people read what goes to a terminal, and machines what goes elsewhere."""
    given = os.environ.get("LOG_JSON", "").lower()
    return given in {"1", "true", "yes", "on"} if given else not sys.stderr.isatty()


def formatter() -> logging.Formatter:
    """The form of every line; granian.json names it, too."""
    renderer: Processor = structlog.processors.JSONRenderer() if wants_json() else structlog.dev.ConsoleRenderer()
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )


def configure(level: str) -> None:
    """Sends structlog's and the standard library's records through one renderer to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if logging.getLogger().level > logging.DEBUG:
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
    for name in INDISCREET:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    # No line of ours tells these, so they need not be found out for each (logging HOWTO, Optimization).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
