"""Renderers of answers, as bytes in the dialect of the request; empty fields are left out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rest_framework.renderers import BaseRenderer

from mms.api.answers import Answer, Fields
from mms.runtime.xml import Element, build_document, strip_invalid_characters


class XmlRenderer(BaseRenderer):
    """Renders an XML document with the fields in their order; a list repeats its element."""

    media_type = "text/xml"
    format = "xml"
    charset = "utf-8"

    def render(
        self,
        data: Answer,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the answer as an XML document."""
        return build_document(data.dialect.response_root, _elements(data.fields, data.dialect.answers))


class JsonRenderer(BaseRenderer):
    """Renders a JSON object; a list becomes an array, even if it is empty."""

    media_type = "application/json"
    format = "json"
    charset = "utf-8"

    def render(
        self,
        data: Answer,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the answer as a JSON object."""
        return json.dumps(_members(data.fields, data.dialect.answers)).encode()


def _elements(fields: Fields, names: Mapping[str, str]) -> Iterator[Element]:
    for name, value in fields.items():
        if isinstance(value, bool):
            yield names[name], "true" if value else "false"
        elif isinstance(value, str | int):
            if value != "":
                yield names[name], str(value)
        else:
            yield from ((names[name], _elements(item, names)) for item in value)


def _members(fields: Fields, names: Mapping[str, str]) -> dict[str, Any]:
    return {names[name]: _value(value, names) for name, value in fields.items() if value != ""}


def _value(value: str | int | Sequence[Fields], names: Mapping[str, str]) -> Any:
    """Return the JSON value, without lone surrogates quoted from a request: no client can decode their escapes."""
    match value:
        case str():
            return strip_invalid_characters(value)
        case int():
            return value
    return [_members(item, names) for item in value]
