"""The actions of the customer API, and how a request for one is processed on its own thread, against current data."""

from collections.abc import Callable
from typing import Final

from django.http import HttpResponse

from base.stale_cache import Freshness
from billing.models import ApiKey
from mms.api import idempotency, parameters
from mms.api.answers import Fields
from mms.api.authorization import Call
from mms.api.delete_mms import delete_mms
from mms.api.errors import Refusal
from mms.api.exchange import Exchange
from mms.api.get_message import get_message
from mms.api.get_mms_templates import get_mms_templates
from mms.api.login_user import login_user
from mms.api.replay_postbacks import replay_postbacks
from mms.api.request_tree import Node
from mms.api.save_mms import save_mms
from mms.api.send_mms import send_mms
from mms.api.send_saved_mms import send_saved_mms

# Answers a request made with this key. Raises Refusal.
Action = Callable[[Node, ApiKey], Fields]

# By their names in lower case: the names of actions match without regard to case.
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
HAVE_DRY_RUN: Final = frozenset({"sendsavedmms", "sendmms"})


def perform(exchange: Exchange) -> HttpResponse:
    """Perform the action that the request asks for, and return the response. Raises Refusal."""
    call = exchange.call()
    try:
        answer = _perform(call, exchange.idempotency_key)
    finally:
        call.record_key_use()
    return exchange.succeed(answer)


def _perform(call: Call, idempotency_key: str) -> Fields:
    key = call.authorize(ACTIONS, Freshness.CURRENT)
    if call.name not in HAVE_DRY_RUN and parameters.flag(call.request, "dry_run"):
        # A client that asks for a dry run does not want the action performed.
        raise Refusal("E100", f"{call.action[:40]} has no {call.request.name_of('dry_run')}; nothing was done")
    return ACTIONS[call.name](idempotency.with_header(call.request, idempotency_key), key)
