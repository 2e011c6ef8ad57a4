"""The views of the customer API: one for each URL, with the protocol that it speaks."""

from functools import partial
from typing import Final

from django.http import HttpRequest, HttpResponse

from mms.api import accept_batch, actions
from mms.api.body_parsers import JsonParser, XmlParser
from mms.api.dialects import SINCH, SINCH_JSON, SKYCORE
from mms.api.errors import Refusal
from mms.api.exchange import Exchange, Protocol
from mms.api.renderers import JsonRenderer, XmlRenderer

# XML in either dialect.
SINCH_PROTOCOL: Final = Protocol(["POST"], SINCH, XmlParser(), XmlRenderer(), "POST an XML request")
# XML in either dialect, as the body or in a form field; or a query string of key/value pairs.
SKYCORE_PROTOCOL: Final = Protocol(
    ["GET", "POST"],
    SKYCORE,
    XmlParser(),
    XmlRenderer(),
    "POST an XML request, or GET with parameters",
    answers_plain=True,
)
# JSON, with the API key in the header x-api-key.
JSON_PROTOCOL: Final = Protocol(["POST"], SINCH_JSON, JsonParser(), JsonRenderer(), "POST a JSON request")


def serve(request: HttpRequest, protocol: Protocol) -> HttpResponse:
    """Answer a request in the protocol of its URL."""
    exchange = Exchange(request, protocol)
    if request.method not in protocol.methods:
        return exchange.refuse_method()
    try:
        if accept_batch.is_candidate(exchange):
            return accept_batch.submit(exchange)
        return actions.perform(exchange)
    except Refusal as refusal:
        return exchange.refuse(refusal)
    except Exception as problem:  # noqa: BLE001 - it is logged with its traceback
        return exchange.fail(problem)


sinch_view = partial(serve, protocol=SINCH_PROTOCOL)
skycore_view = partial(serve, protocol=SKYCORE_PROTOCOL)
json_view = partial(serve, protocol=JSON_PROTOCOL)
