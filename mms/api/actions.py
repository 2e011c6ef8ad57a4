"""The actions of the customer API: the table of their functions, and `perform`, which runs one with current data."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from django.http import HttpResponse

from base import request_slots
from base.request_slots import ConcurrencyLimit
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
SENDS: Final = frozenset({"sendsavedmms", "sendmms"})  # they support dry-run
# Requests that send nothing, performed or waiting in a process, of one account and of all; each occupies a thread.
COSTLY_MAX: Final = 32
ALL_COSTLY_MAX: Final = 96

_costly, _all_costly = ConcurrencyLimit(COSTLY_MAX), ConcurrencyLimit(ALL_COSTLY_MAX)


def perform(exchange: Exchange) -> HttpResponse:
    """Perform the requested action and return the response. Raises Refusal."""
    call = exchange.call()
    with ExitStack() as slot:
        try:
            key = call.authorize(ACTIONS, Freshness.CURRENT)
            slot.enter_context(_slot_of(call, key.account_id))
            return exchange.succeed(_perform(call, key, exchange.idempotency_key))
        finally:
            call.record_key_use()


@contextmanager
def _slot_of(call: Call, account: int) -> Iterator[None]:
    """Hold a slot of the account, and a costly one unless the call sends. Raises Refusal if too many wait for one."""
    if call.name in SENDS and not parameters.flag(call.request, "dry_run"):
        with request_slots.held_for_account(account, costly=False):
            yield
        return
    with _costly.enter(account) as admitted, _all_costly.enter("all accounts") as room:
        if not admitted:
            others = f"{COSTLY_MAX} requests of this account are already waiting"
            raise Refusal("E113", f"{others}; retry when one of them has been answered")
        if not room:
            raise Refusal("E113", "Too many requests are waiting; retry later")
        with request_slots.held_for_account(account, costly=True):
            yield


def _perform(call: Call, key: ApiKey, idempotency_key: str) -> Fields:
    if call.name not in SENDS and parameters.flag(call.request, "dry_run"):
        # Ignoring the parameter would perform an action that the client meant only to check.
        raise Refusal(
            "E100", f"{call.action[:40]} does not support {call.request.name_of('dry_run')}; nothing was done"
        )
    return ACTIONS[call.name](idempotency.with_header(call.request, idempotency_key), key)
