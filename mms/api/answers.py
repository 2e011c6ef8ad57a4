"""The canonical answer: named texts, numbers and truths, and lists of such for what is repeated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mms.api.dialects import Dialect

Fields: TypeAlias = Mapping[str, str | int | Sequence["Fields"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to a request in this dialect; absent fields are "" and are left out."""

    dialect: Dialect
    fields: Fields


def success(**fields: str | int | Sequence[Fields]) -> Fields:
    return {"status": "Success", **fields}


def failure(dialect: Dialect, to: str, code: str, info: str) -> Answer:
    """A Failure, in the dialect's own code; it repeats the recipient where one was given."""
    code = dialect.error_codes.get(code, code)
    return Answer(dialect, {"status": "Failure", "error_code": code, "to": to, "error_info": info})
