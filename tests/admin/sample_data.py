"""Sample data for tests of the admin, written by the platform's own functions with given answers of an MMSC."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from django.core.files.base import ContentFile

from billing import keys, ledger, low_balance
from billing.models import Account, BlockedNumber, Price, SenderAddress, Service
from handsets.models import Handset, Profile
from mms.adaptation import images
from mms.content import store
from mms.encoding import queue
from mms.messages import attempts, claiming, report_apply, transitions
from mms.messages.accept import Accepted, accept
from mms.messages.attempts import CompletedSubmit
from mms.messages.request import SendRequest
from mms.models import Carrier, Message, NumberPrefix, Postback, PostbackAttempt, Rendition, Status, Template
from mms.protocol.reports import DeliveryReport, ReportStatus
from mms.protocol.submit import Outcome, SubmitResult
from tests.wire import IPHONE, photograph

NOW = datetime.now(UTC) - timedelta(minutes=1)
KEY = "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ"


def create() -> SimpleNamespace:
    """Create an account, a carrier, a message delivered after discovery, one in doubt, and an unmatched report."""
    sample = SimpleNamespace()
    sample.account = Account.objects.create(
        name="Customer",
        postback_url="http://customer.example/postbacks",
        low_balance_at=10_000_000,
        billing_email="bills@customer.example",
    )
    keys.issue(sample.account, KEY)
    SenderAddress.objects.create(account=sample.account, address="28444", country="US", default=True)
    sample.service = Service.objects.create(account=sample.account, code="12345")
    BlockedNumber.objects.create(account=sample.account, number="14044790009", note="asked for it")
    sample.carrier = create_carrier()
    sample.template = create_template(sample.account)
    sample.medium = sample.template.slides.get(position=1).media.get()
    sample.rendition = create_rendition(sample.medium)
    sample.profile = Profile.objects.create(name="iPhone", screen_width=320, takes_mms=True)
    Handset.objects.create(identity=IPHONE, profile=sample.profile)
    Price.objects.create(account=sample.account, message_class="mms", amount=30_000)
    Price.objects.create(message_class="ddm", amount=5_000)
    ledger.top_up(sample.account, 10_000_000, "invoice 1", NOW)
    sample.delivered = create_delivered(sample)
    low_balance.write_notices(NOW)
    sample.in_doubt = create_in_doubt(sample)
    report_apply.record_reports([(sample.carrier, report("unknown-id", "14045550100"))], NOW)
    sample.postback = sample.delivered.postbacks.earliest("pk")
    give_up(sample.postback)
    return sample


def create_carrier() -> Carrier:
    carrier = Carrier.objects.create(
        name="AT&T",
        slug="att",
        operator_id=31002,
        vaspid="vasp",
        vasid="vas",
        mmsc_username="us",
        mmsc_password="mmsc-password",
        inbound_username="mmsc",
        inbound_password="inbound-password",
    )
    NumberPrefix.objects.create(prefix="1", carrier=carrier)
    return carrier


def create_template(account: Account) -> Any:
    picture = photograph()
    medium = store.NewMedium(images.inspect(picture), picture, "http://customer.example/a.jpg")
    slides = [store.NewSlide(10, "Dear {{firstname}}", (medium,)), store.NewSlide(5, "Bye", ())]
    template = Template(account=account, name="Spring", subject="Spring is here")
    store.save_template(template, slides, queue.conclude, NOW)
    return template


def create_rendition(medium: Any) -> Rendition:
    rendition = Rendition(medium=medium, recipe="320x240-jpeg", mime_type="image/jpeg", width=320, height=240)
    data = photograph(320, 240)
    rendition.size, rendition.quality, rendition.ssim = len(data), 90, 0.9876
    rendition.file.save("renditions/320x240", ContentFile(data))
    return rendition


def accept_message(sample: SimpleNamespace, number: str, **parameters: Any) -> Message:
    """Accept a message to the number."""
    request = SendRequest(
        account=sample.account,
        number=number,
        sender="28444",
        carrier=sample.carrier,
        template=sample.template,
        service=sample.service,
        country="US",
        subject="Spring is here",
        **parameters,
    )
    (outcome,) = accept([request], NOW)
    assert isinstance(outcome, Accepted)
    return outcome.message


def create_delivered(sample: SimpleNamespace) -> Message:
    """Create a message that was delivered after its DDM was reported."""
    message = accept_message(sample, "14044790000", ddm_text="Checking your handset", texts={"1": "Hello <b>Bill</b>"})
    claiming.claim_messages(NOW, 9)
    (discovery,), _ = claiming.claim_discoveries(NOW, 9)
    transitions.record_ddm_results(
        [complete_submit(discovery, SubmitResult(Outcome.SUBMITTED, 1000, "Success", "D1"))], NOW
    )
    report_apply.record_reports([(sample.carrier, report("D1", message.number, IPHONE))], NOW)
    submit(SubmitResult(Outcome.SUBMITTED, 1000, "Success", "M1"))
    report_apply.record_reports([(sample.carrier, report("M1", message.number, IPHONE))], NOW)
    message.refresh_from_db()
    assert message.status == Status.DELIVERED
    return message


def create_in_doubt(sample: SimpleNamespace, number: str = "447700900123") -> Message:
    """Create a message whose submit got no answer."""
    message = accept_message(sample, number)
    submit(SubmitResult(Outcome.IN_DOUBT, None, "connection reset", None))
    message.refresh_from_db()
    assert message.status == Status.IN_DOUBT
    return message


def submit(answer: SubmitResult) -> None:
    """Submit all due messages; the MMSC gives this answer."""
    due, _ = claiming.claim_messages(NOW, 9)
    transitions.record_submit_results([complete_submit(message, answer) for message in due], NOW)


def complete_submit(sent: Any, answer: SubmitResult) -> CompletedSubmit[Any]:
    ((sent, attempt),) = attempts.start([(sent, 2000)], NOW)
    return CompletedSubmit(sent, attempt, answer)


def report(message_id: str, number: str, handset: str | None = None) -> DeliveryReport:
    return DeliveryReport(
        message_id=message_id,
        recipients=(number,),
        senders=("28444",),
        reported_at=NOW,
        status=ReportStatus.RETRIEVED,
        raw_status="Retrieved",
        text="",
        handset=handset,
    )


def give_up(postback: Postback) -> None:
    PostbackAttempt.objects.create(postback=postback, started_at=NOW, duration_ms=93, http_status=503, answer="<busy>")
    Postback.objects.filter(pk=postback.pk).update(status=Postback.Status.GIVEN_UP, due_at=None, ended_at=NOW, tries=6)
