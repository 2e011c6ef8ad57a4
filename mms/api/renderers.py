"""From the canonical answer to bytes in the dialect of the request."""

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BaseRenderer

from mms.api.dialects import SINCH
from mms.xml import document


class XmlRenderer(BaseRenderer):
    """Writes an answer as one XML element that holds the fields in their order; absent ones are left out."""

    media_type = "text/xml"
    format = "xml"
    charset = "utf-8"

    def render(
        self,
        data: Mapping[str, str],
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return document(SINCH.response, ((SINCH.names[name], value) for name, value in data.items() if value))
