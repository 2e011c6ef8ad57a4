"""The machine-readable contracts: an XML schema for each dialect, and OpenAPI for JSON."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.http import HttpRequest, HttpResponse

from mms.api.dialects import SINCH, SKYCORE, Dialect

FOLDER: Final = Path(__file__).parent / "schemas"
XML_DIALECTS: Final = {"sinch": SINCH, "skycore": SKYCORE}
# Where the schema leaves a name, or a value, to the dialect.
PLACEHOLDER = re.compile(r"\{(root|in|out|switch)(?:\[(\w+)\])?\}")


def xml_schema(dialect: Dialect) -> str:
    """The XML schema of the dialect's requests and answers: one text for all, with the dialect's names in it."""
    text = (FOLDER / "dialect.xsd").read_text()
    return "".join(line for written in text.splitlines(keepends=True) for line in _lines(written, dialect))


def _lines(written: str, dialect: Dialect) -> Iterator[str]:
    """The line with the dialect's names in it, and once more where a parameter in it has another spelling."""
    switch = "|".join(("", *("".join(f"[{c.upper()}{c}]" for c in word) for word in dialect.boolean_words)))
    names = {
        "root": {"request": dialect.request_root, "response": dialect.response_root},
        "in": dialect.parameters,
        "out": dialect.answers,
    }

    def name(place: re.Match[str]) -> str:
        return switch if place[1] == "switch" else names[place[1]][place[2]]

    yield PLACEHOLDER.sub(name, written)
    found = PLACEHOLDER.search(written)
    if found and found[1] == "in" and found[2] in dialect.aliases:
        yield PLACEHOLDER.sub(dialect.aliases[found[2]], written)


def openapi() -> str:
    """The OpenAPI description of the JSON door, in YAML."""
    return (FOLDER / "openapi.yaml").read_text()


def xsd_view(_: HttpRequest, dialect: str) -> HttpResponse:
    return HttpResponse(xml_schema(XML_DIALECTS[dialect]), content_type="application/xml; charset=utf-8")


def openapi_view(_: HttpRequest) -> HttpResponse:
    return HttpResponse(openapi(), content_type="application/yaml; charset=utf-8")
