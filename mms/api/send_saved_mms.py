"""The sendSavedMMS action: sends stored content to one number.

This module performs single requests; mms/api/accept_batch.py accepts plain ones in batches.
"""

from django.utils import timezone

from base.stale_cache import Freshness
from billing.ledger import InsufficientFunds
from billing.models import Account, ApiKey
from mms.api import dry_run, idempotency, parameters, send_parameters
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.request_tree import Node
from mms.messages.accept import Accepted, OutcomeUnknown, Outdated, TemplateDeleted, accept
from mms.messages.request import SendRequest
from mms.models import Message
from mms.runtime import wakeup

QUEUED = "MMS request accepted and queued for delivery"


def send_saved_mms(request: Node, key: ApiKey) -> Fields:
    """Accept the message and return its tracking ID. Raises Refusal."""
    if parameters.flag(request, "dry_run"):
        send_request = send_parameters.parse(request, key, Freshness.CURRENT)
        return dry_run.preview(key.account, lambda: accept_one(request, send_request))
    identity = idempotency.identify(request, key.account)
    answer = idempotency.stored_answer(identity)
    if answer is None:
        send_request = send_parameters.parse(request, key, Freshness.CURRENT)
        answer = idempotency.answer_once(
            identity, key.account, lambda: queued_answer(accept_one(request, send_request))
        )
        wakeup.wake(wakeup.WORK)
    return answer


def queued_answer(message: Message) -> Fields:
    """Return the answer to the request that became this message."""
    return success(
        mms_id=str(message.template_id),
        tracking_id=message.tracking_id,
        to=message.number,
        **{"from": message.sender},
        status_details=QUEUED,
    )


def check_not_suspended(account: Account) -> None:
    """Refuse an account that is suspended for billing."""
    if account.status == Account.Status.BILLING_SUSPENDED:
        raise Refusal("E713", "The account is suspended by billing; settle the outstanding amount")


def accept_one(request: Node, send_request: SendRequest) -> Message:
    """Accept a send request that was checked against current data, and return its message. Raises Refusal.

    The caller holds a transaction with brief waits for rows (`accept_alone`).
    """
    check_not_suspended(send_request.account)
    (outcome,) = accept([send_request], timezone.now())
    match outcome:
        case Accepted(message):
            return message
        case InsufficientFunds():
            raise Refusal("E713", str(outcome))
        case TemplateDeleted():
            raise parameters.unknown_template(request, str(send_request.template.pk))
        case OutcomeUnknown(problem):
            raise problem
        case Outdated():
            raise AssertionError("only cached data becomes outdated")
