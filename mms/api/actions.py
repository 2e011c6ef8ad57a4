"""The actions of the customer API: the table of their functions, and `perform`, which runs one with current data."""

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

# Performs an authorized request made with this key and returns the answer. Raises Refusal.
Action = Callable[[Node, ApiKey], Fields]

# Keys are in lower case: action names are case-insensitive.
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
DRY_RUN_ACTIONS: Final = frozenset({"sendsavedmms", "sendmms"})


def perform(exchange: Exchange) -> HttpResponse:
    """Perform the requested action and return the response. Raises Refusal."""
    call = exchange.call()
    try:
        answer = _perform(call, exchange.idempotency_key)
    finally:
        call.record_key_use()
    return exchange.succeed(answer)


def _perform(call: Call, idempotency_key: str) -> Fields:
    key = call.authorize(ACTIONS, Freshness.CURRENT)
    if call.name not in DRY_RUN_ACTIONS and parameters.flag(call.request, "dry_run"):
        # Ignoring the parameter would perform an action that the client meant only to check.
        raise Refusal(
            "E100", f"{call.action[:40]} does not support {call.request.name_of('dry_run')}; nothing was done"
        )
    return ACTIONS[call.name](idempotency.with_header(call.request, idempotency_key), key)
