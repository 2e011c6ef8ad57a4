"""The customers' doors: each reads its own way; then they authenticate, call one action and answer alike."""

import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.models import Account
from mms import callers
from mms.api import fields, gate, idempotency, read_pairs
from mms.api.answers import Answer, Fields, failure
from mms.api.delete import delete_mms
from mms.api.dialects import SINCH, SINCH_JSON, SKYCORE, Dialect
from mms.api.errors import Refusal
from mms.api.login import login_user
from mms.api.message import get_message
from mms.api.nodes import Node
from mms.api.parsers import JsonParser, XmlParser
from mms.api.renderers import JsonRenderer, XmlRenderer
from mms.api.replay import replay_postbacks
from mms.api.save import save_mms
from mms.api.send import send_mms
from mms.api.send_saved import send_saved_mms
from mms.api.templates import get_mms_templates

log = structlog.get_logger()

Action = Callable[[Node, Account], Fields]

# In lower case: names of actions match without regard to case.
ACTIONS: Final[dict[str, Action]] = {
    "sendsavedmms": send_saved_mms,
    "savemms": save_mms,
    "sendmms": send_mms,
    "deletemmsid": delete_mms,
    "getmmstemplates": get_mms_templates,
    "getmmsids": get_mms_templates,
    "getmessage": get_message,
    "loginuser": login_user,
    "replaypostbacks": replay_postbacks,
}


class ByTheBody(BaseContentNegotiation):
    """Real clients are careless with headers: what a request is, its body tells."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class Door(APIView):
    """One request, one answer in its dialect; business failures are answered with HTTP 200 and a Failure."""

    http_method_names = ["post"]
    content_negotiation_class = ByTheBody
    expected: ClassVar[str] = "POST an XML request"
    own_dialect: ClassVar[Dialect]
    node: Node | None = None
    action = ""
    account: Account | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        began = time.perf_counter()
        response = super().dispatch(request, *args, **kwargs)
        self._log(response, time.perf_counter() - began)
        return response

    def _log(self, response: HttpResponseBase, seconds: float) -> None:
        """The one line of this request. An action that is not one of ours could be anything: it is left out."""
        answer: Fields = response.data.fields if isinstance(response, Response) else {}
        log.info(
            "request",
            action=self.action if self.action in ACTIONS else "",
            account=self.account.pk if self.account else None,
            code=answer.get("error_code", ""),
            tracking_id=answer.get("tracking_id", ""),
            status=response.status_code,
            ms=round(seconds * 1000, 1),
        )

    @property
    def dialect(self) -> Dialect:
        """The request's; the door's own where the request could not be read that far."""
        return self.node.dialect if self.node else self.own_dialect

    def post(self, request: Request) -> Response:
        return self.answered(_read(request.data))

    def answered(self, node: Node) -> Response:
        self.node = node
        name = fields.once(node, "action")
        if not name:
            raise Refusal("E100", f"{node.called('action')} is missing")
        self.action = name.lower()
        self.account = gate.admit(node, name, ACTIONS, callers.address(self.request._request))
        asked = idempotency.with_header(node, self.request.headers.get("Idempotency-Key", ""))
        return Response(Answer(self.dialect, ACTIONS[self.action](asked, self.account)))

    def handle_exception(self, problem: Exception) -> Response:
        if isinstance(problem, Refusal):
            return self._failure(problem.code, problem.info)
        if isinstance(problem, APIException):
            return self._failure("E100", self.expected, problem.status_code)
        reference = uuid.uuid4().hex[:12]
        log.error("a request failed", reference=reference, exc_info=problem)
        return self._failure("E503", f"Internal error, reference {reference}", 500)

    def _failure(self, code: str, info: str, status: int = 200) -> Response:
        return Response(failure(self.dialect, self._to(), code, info), status=status)

    def _to(self) -> str:
        """What the request gave as recipient, where it could be read that far."""
        recipients = self.node.all("to") if self.node else []
        return recipients[0].text[:50] if recipients else ""


class SinchDoor(Door):
    """POST of XML, in either dialect."""

    parser_classes = [XmlParser]
    renderer_classes = [XmlRenderer]
    own_dialect = SINCH


class SkycoreDoor(Door):
    """POST of XML in either dialect, raw or as a form field; GET of key/value pairs."""

    http_method_names = ["get", "post"]
    parser_classes = [XmlParser]
    renderer_classes = [XmlRenderer]
    own_dialect = SKYCORE
    expected = "POST an XML request, or GET with parameters"

    def get(self, request: Request) -> Response:
        return self.answered(read_pairs.read(request.META.get("QUERY_STRING", "")))


class JsonDoor(Door):
    """POST of JSON, with the key in the header x-api-key."""

    parser_classes = [JsonParser]
    renderer_classes = [JsonRenderer]
    own_dialect = SINCH_JSON
    expected = "POST a JSON request"


def _read(data: object) -> Node:
    """The request that our parser read. DRF does not call it for an empty body."""
    if not isinstance(data, Node):
        raise Refusal("E100", "There is no request in the body")
    return data
