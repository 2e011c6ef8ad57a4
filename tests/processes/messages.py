"""Test messages for the processes, and consistency checks at the end."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import cycle
from types import SimpleNamespace

from django.db.models import F

from mms.messages.accept import Accepted
from mms.messages.accept import accept as accept_batch
from mms.messages.request import SendRequest
from mms.models import Attempt, Discovery, Message, Postback, Report
from tests.processes.platform_under_test import Platform, http

# The last two digits of a number select the behaviour of the simulator.
DELIVERED, NEVER_REPORTED, DDM_HELD = "00", "16", "17"
DDM = "This message is free of charge."

_exchanges = cycle(range(200, 1000))


def number(behaviour: str = DELIVERED) -> str:
    """Return the number of another US iPhone with this behaviour; numbers repeat after 800."""
    return f"1404{next(_exchanges)}00{behaviour}"


def accept(records: SimpleNamespace, to: str, ddm: str = "") -> Message:
    """Accept a message, due now, without a wake-up."""
    request = SendRequest(
        account=records.account,
        number=to,
        country="US",
        sender="28444",
        carrier=records.carrier,
        template=records.template,
        service=records.service,
        subject="Spring is here",
        ddm_text=ddm,
    )
    (outcome,) = accept_batch([request], datetime.now(UTC))
    assert isinstance(outcome, Accepted)
    return outcome.message


def request(to: str, ddm: str = "", key: str = "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ", template: int = 35674) -> bytes:
    """Return the body of a sendSavedMMS request."""
    text = f"<ddm-message-text>{ddm}</ddm-message-text>" if ddm else ""
    return (
        f"<request><action>sendSavedMMS</action><api-key>{key}</api-key><to>{to}</to><from>28444</from>"
        f"<service-id>12345</service-id><mms-id>{template}</mms-id>{text}</request>"
    ).encode()


def send(network: Platform, to: str, ddm: str = "") -> str:
    """Send a message by the customer API and return its tracking id."""
    answer = http(network.web_port, "POST", "/ep/v1/", request(to, ddm)).decode()
    assert "<status>Success</status>" in answer, answer
    return answer.partition("<tracking-id>")[2].partition("<")[0]


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


def make_older(duration: timedelta) -> None:
    """Shift every timestamp back, as if this much time had passed. No worker may hold the rows."""
    for model, moments in {
        Message: ("created_at", "due_at", "expires_at"),
        Discovery: ("created_at", "due_at", "expires_at"),
        Attempt: ("started_at",),
        Report: ("received_at", "due_at"),
        Postback: ("created_at", "due_at"),
    }.items():
        model._default_manager.update(**{moment: F(moment) - duration for moment in moments})


def all_delivered() -> bool:
    """Return whether every message is final and every postback delivered."""
    unfinished = Message.objects.filter(due_at__isnull=False)
    return not unfinished.exists() and not Postback.objects.exclude(status="taken").exists()


def check_consistency(network: Platform) -> None:
    """Check that simulator log and database agree: every submit once, the postbacks of a message in order."""
    submits = network.simulator_log("submit")
    assert not [entry for entry in submits if entry["duplicate"]]
    sent = [m.transaction_id for m in Message.objects.filter(submitted_at__isnull=False)]
    ddms = [d.transaction_id for d in Discovery.objects.all()]
    assert Counter(entry["transaction_id"] for entry in submits) == Counter(sent + ddms)
    received: dict[str, list[str]] = defaultdict(list)
    for entry in network.simulator_log("postback"):
        received[entry["fields"]["tracking-id"]].append(entry["headers"]["X-MMS-Event-Id"])
    for message in Message.objects.all():
        assert received[message.tracking_id] == [str(postback.pk) for postback in message.postbacks.all()]
    assert sum(map(len, received.values())) == Postback.objects.count()
