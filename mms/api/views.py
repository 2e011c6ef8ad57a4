"""The customers' doors: each reads its own way; then they authenticate, call one action and answer alike."""

import time
import uuid
from collections.abc import Callable
from functools import cached_property
from io import BytesIO
from typing import Any, ClassVar, Final

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.generic import View

from billing.models import ApiKey
from mms.api import accept_batch, fields, idempotency, read_pairs
from mms.api.answers import Answer, Fields, failure
from mms.api.authorization import Call
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
from mms.runtime import client_address

log = structlog.get_logger()

# What a request is answered that came by this key. Raises Refusal.
Action = Callable[[Node, ApiKey], Fields]

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
FORESEEABLE: Final = frozenset({"sendsavedmms", "sendmms"})


class Door(View):
    """One request, one answer in its dialect; business failures are answered with HTTP 200 and a Failure.

    Of Django REST framework it has the parsers and the renderers. What that negotiates and checks beside them costs as
    much as all that a request is read and checked for here, and real clients are careless with the headers.
    """

    http_method_names = ["post"]
    expected: ClassVar[str] = "POST an XML request"
    own_dialect: ClassVar[Dialect]
    parser: ClassVar[XmlParser | JsonParser]
    renderer: ClassVar[XmlRenderer | JsonRenderer]
    node: Node | None = None
    call: Call | None = None

    def dispatch(self, request: HttpRequest, *_: Any, **__: Any) -> HttpResponse:
        self.began = time.perf_counter()
        if str(request.method).lower() not in self.http_method_names:
            return self._responded(self._failure("E100", self.expected), 405)
        try:
            return self._express() or self.succeeded(self._acted())
        except Refusal as refusal:
            dialect = refusal.dialect or self.dialect
            return self._responded(failure(dialect, self._to(), refusal.code, refusal.info))
        except Exception:
            reference = uuid.uuid4().hex[:12]
            log.exception("a request failed", reference=reference)
            return self._responded(self._failure("E503", f"Internal error, reference {reference}"), 500)

    @property
    def dialect(self) -> Dialect:
        """The request's; the door's own where the request could not be read that far."""
        return self.node.dialect if self.node else self.own_dialect

    @cached_property
    def said(self) -> bytes:
        """The request as it came; of one that is too long, enough to tell."""
        return self.request.read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)

    def read(self) -> Node:
        """The request as a tree. Raises Refusal."""
        return self.parser.parse(BytesIO(self.said), parser_context={"request": self.request})

    def called(self) -> Call:
        """What the request asks for, found out once. Raises Refusal."""
        if self.call is None:
            self.node = self.read()
            name = fields.once(self.node, "action")
            if not name:
                raise Refusal("E100", f"{self.node.called('action')} is missing")
            self.call = Call(self.node, name, client_address.address(self.request))
        return self.call

    def _express(self) -> HttpResponse | None:
        plain = "Idempotency-Key" not in self.request.headers and accept_batch.suits(self.said)
        return accept_batch.response(self) if plain else None

    def _acted(self) -> Fields:
        call = self.called()
        try:
            return self._answered(call)
        finally:
            call.note_use()

    def _answered(self, call: Call) -> Fields:
        key = call.admitted(ACTIONS)
        if call.name not in FORESEEABLE and fields.flag(call.request, "dry_run"):
            # Who asks for one does not want to have it done.
            raise Refusal("E100", f"{call.action[:40]} has no {call.request.called('dry_run')}; nothing was done")
        asked = idempotency.with_header(call.request, self.request.headers.get("Idempotency-Key", ""))
        return ACTIONS[call.name](asked, key)

    def succeeded(self, fields: Fields) -> HttpResponse:
        """The response to a request that these fields answer."""
        return self._responded(Answer(self.dialect, fields))

    def _failure(self, code: str, info: str) -> Answer:
        return failure(self.dialect, self._to(), code, info)

    def _to(self) -> str:
        """What the request gave as recipient, where it could be read that far."""
        recipients = self.node.all("to") if self.node else []
        return recipients[0].text[:50] if recipients else ""

    def _responded(self, answer: Answer, status: int = 200) -> HttpResponse:
        """The response, and its line in the log."""
        content = self.renderer.render(answer)
        headers = {
            "Content-Type": f"{self.renderer.media_type}; charset={self.renderer.charset}",
            "Content-Length": str(len(content)),
        }
        if status == 405:
            headers["Allow"] = ", ".join(self.http_method_names).upper()
        response = HttpResponse(content, status=status, headers=headers)
        self._log(answer, status)
        return response

    def _log(self, answer: Answer, status: int) -> None:
        """The one line of this request. An action that is not one of ours could be anything: it is left out."""
        call = self.call
        log.info(
            "request",
            action=call.name if call and call.name in ACTIONS else "",
            account=call.account.pk if call and call.account else None,
            code=answer.fields.get("error_code", ""),
            tracking_id=answer.fields.get("tracking_id", ""),
            status=status,
            ms=round((time.perf_counter() - self.began) * 1000, 2),
        )


class SinchDoor(Door):
    """POST of XML, in either dialect."""

    parser = XmlParser()
    renderer = XmlRenderer()
    own_dialect = SINCH


class SkycoreDoor(Door):
    """POST of XML in either dialect, raw or as a form field; GET of key/value pairs."""

    http_method_names = ["get", "post"]
    parser = XmlParser()
    renderer = XmlRenderer()
    own_dialect = SKYCORE
    expected = "POST an XML request, or GET with parameters"

    @cached_property
    def said(self) -> bytes:
        return self._query.encode(errors="replace") if self.request.method == "GET" else super().said

    def read(self) -> Node:
        return read_pairs.read(self._query) if self.request.method == "GET" else super().read()

    @property
    def _query(self) -> str:
        return str(self.request.META.get("QUERY_STRING", ""))


class JsonDoor(Door):
    """POST of JSON, with the key in the header x-api-key."""

    parser = JsonParser()
    renderer = JsonRenderer()
    own_dialect = SINCH_JSON
    expected = "POST a JSON request"
