"""Answers by canonical field names, before a renderer writes them in the dialect of the request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from mms.api.dialects import Dialect

# Strings, integers and booleans; a sequence is a repeated element.
Fields: TypeAlias = Mapping[str, str | int | Sequence["Fields"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request in this dialect; fields that are "" are left out."""

    dialect: Dialect
    fields: Fields


def success(**fields: str | int | Sequence[Fields]) -> Fields:
    """Return the fields of a Success."""
    return {"status": "Success", **fields}


def failure(dialect: Dialect, to: str, code: str, info: str) -> Answer:
    """Return a Failure with the dialect's own code for `code`; `to` is "" or the recipient of the request."""
    code = dialect.error_codes.get(code, code)
    return Answer(dialect, {"status": "Failure", "error_code": code, "to": to, "error_info": info})


def format_timestamp(at: datetime) -> str:
    """Return the time in ISO 8601, to the second."""
    return at.isoformat(timespec="seconds")
