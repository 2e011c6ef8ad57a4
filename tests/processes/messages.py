"""Messages for the processes to carry, and what must be true of them at the end."""

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

# The last two digits of a number choose what the simulated network does with it.
DELIVERED, NEVER_REPORTED, DDM_HELD = "00", "16", "17"
DDM = "This message is free of charge."

_exchanges = cycle(range(200, 1000))


def number(behaviour: str = DELIVERED) -> str:
    """The number of one more iPhone in the United States that does so; they repeat after 800."""
    return f"1404{next(_exchanges)}00{behaviour}"


def accept(world: SimpleNamespace, to: str, ddm: str = "") -> Message:
    """A message of the world's template, durable and due; nobody rings for it."""
    order = SendRequest(
        account=world.account,
        number=to,
        country="US",
        sender="28444",
        carrier=world.carrier,
        template=world.template,
        service=world.service,
        subject="Spring is here",
        ddm_text=ddm,
    )
    (outcome,) = accept_batch([order], datetime.now(UTC))
    assert isinstance(outcome, Accepted)
    return outcome.message


def request(to: str, ddm: str = "") -> bytes:
    """A customer's request to send the world's template."""
    text = f"<ddm-message-text>{ddm}</ddm-message-text>" if ddm else ""
    return (
        "<request><action>sendSavedMMS</action><api-key>qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ</api-key>"
        f"<to>{to}</to><from>28444</from><service-id>12345</service-id><mms-id>35674</mms-id>{text}</request>"
    ).encode()


def send(network: Platform, to: str, ddm: str = "") -> str:
    """Sends the world's template over the customers' door; the tracking id."""
    answer = http(network.web_port, "POST", "/ep/v1/", request(to, ddm)).decode()
    assert "<status>Success</status>" in answer, answer
    return answer.partition("<tracking-id>")[2].partition("<")[0]


def statuses() -> Counter[str]:
    return Counter(Message.objects.values_list("status", flat=True))


def age(duration: timedelta) -> None:
    """Makes every row older by this: for the platform, so much time has passed. No worker may be at work on them."""
    for model, moments in {
        Message: ("created_at", "due_at", "expires_at"),
        Discovery: ("created_at", "due_at", "expires_at"),
        Attempt: ("started_at",),
        Report: ("received_at", "due_at"),
        Postback: ("created_at", "due_at"),
    }.items():
        model._default_manager.update(**{moment: F(moment) - duration for moment in moments})


def all_told() -> bool:
    """Whether every message has ended, and every postback was taken."""
    unfinished = Message.objects.filter(due_at__isnull=False)
    return not unfinished.exists() and not Postback.objects.exclude(status="taken").exists()


def check_books(network: Platform) -> None:
    """The network's log and the database tell the same: each thing once, the postbacks of a message in order."""
    submits = network.seen("submit")
    assert not [entry for entry in submits if entry["duplicate"]]
    sent = [m.transaction_id for m in Message.objects.filter(submitted_at__isnull=False)]
    asked = [d.transaction_id for d in Discovery.objects.all()]
    assert Counter(entry["transaction_id"] for entry in submits) == Counter(sent + asked)
    told: dict[str, list[str]] = defaultdict(list)
    for entry in network.seen("postback"):
        told[entry["fields"]["tracking-id"]].append(entry["headers"]["X-MMS-Event-Id"])
    for message in Message.objects.all():
        assert told[message.tracking_id] == [str(postback.pk) for postback in message.postbacks.all()]
    assert sum(map(len, told.values())) == Postback.objects.count()
