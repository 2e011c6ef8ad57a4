"""The customers' door: authenticates, reads, calls one action, answers."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import structlog
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import keys
from billing.models import Account
from mms.api import fields
from mms.api.errors import Refusal
from mms.api.parsers import Node, XmlParser
from mms.api.renderers import XmlRenderer
from mms.api.save import save_mms
from mms.api.send import send_mms
from mms.api.send_saved import send_saved_mms

log = structlog.get_logger()

Action = Callable[[Node, Account], Mapping[str, str]]

ACTIONS: Final[dict[str, Action]] = {"sendsavedmms": send_saved_mms, "savemms": save_mms, "sendmms": send_mms}


class ByTheBody(BaseContentNegotiation):
    """Real clients are careless with headers: what a request is, its body tells."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class SinchDoor(APIView):
    """POST of one XML request; business failures are answered with HTTP 200 and a Failure."""

    http_method_names = ["post"]
    parser_classes = [XmlParser]
    renderer_classes = [XmlRenderer]
    content_negotiation_class = ByTheBody

    def post(self, request: Request) -> Response:
        node = _node(request.data)
        name = fields.once(node, "action")
        if not name:
            raise Refusal("E100", "action is missing")
        account = authenticated(node)
        action = ACTIONS.get(name.lower())
        if action is None:
            raise Refusal("E107", f"The action is unknown: {name[:40]}")
        return Response(action(node, account))

    def handle_exception(self, problem: Exception) -> Response:
        if isinstance(problem, Refusal):
            return Response(failure(self._to(), problem.code, problem.info))
        if isinstance(problem, APIException):
            return Response(failure("", "E100", "POST an XML request"), status=problem.status_code)
        reference = uuid.uuid4().hex[:12]
        log.error("a request failed", reference=reference, exc_info=problem)
        return Response(failure(self._to(), "E503", f"Internal error, reference {reference}"), status=500)

    def _to(self) -> str:
        """What the request gave as recipient, where it could be read that far."""
        data: object = getattr(self.request, "_full_data", None)
        recipients = data.all("to") if isinstance(data, Node) else []
        return recipients[0].text[:50] if recipients else ""


def _node(data: object) -> Node:
    """The request that our parser read. DRF does not call it for an empty body."""
    if not isinstance(data, Node):
        raise Refusal("E100", "There is no XML request in the body")
    return data


def authenticated(request: Node) -> Account:
    """The account of the request's key. Raises Refusal."""
    key = fields.once(request, "api_key", "E104")
    account = keys.account_of(key) if key else None
    if account is None:
        raise Refusal("E104", "api-key is unknown" if key else "api-key is missing")
    if account.status == Account.Status.BLOCKED:
        raise Refusal("E103", "This account is blocked")
    if not account.api_access:
        raise Refusal("E105", "This account has no API access")
    return account


def failure(to: str, code: str, info: str) -> dict[str, str]:
    return {"status": "Failure", "error_code": code, "to": to, "error_info": info}
