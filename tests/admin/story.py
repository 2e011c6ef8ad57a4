"""Messages whose story is told by the flow's own functions, with an MMSC's answers put in its mouth."""

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


def world() -> SimpleNamespace:
    """A customer and a carrier; a message that was delivered after its discovery, one in doubt, a stray report."""
    here = SimpleNamespace()
    here.account = Account.objects.create(
        name="Customer",
        postback_url="http://customer.example/postbacks",
        low_balance_at=10_000_000,
        billing_email="bills@customer.example",
    )
    keys.issue(here.account, KEY)
    SenderAddress.objects.create(account=here.account, address="28444", country="US", default=True)
    here.service = Service.objects.create(account=here.account, code="12345")
    BlockedNumber.objects.create(account=here.account, number="14044790009", note="asked for it")
    here.carrier = carrier()
    here.template = template(here.account)
    here.medium = here.template.slides.get(position=1).media.get()
    here.rendition = rendition(here.medium)
    here.profile = Profile.objects.create(name="iPhone", screen_width=320, takes_mms=True)
    Handset.objects.create(identity=IPHONE, profile=here.profile)
    Price.objects.create(account=here.account, message_class="mms", amount=30_000)
    Price.objects.create(message_class="ddm", amount=5_000)
    ledger.top_up(here.account, 10_000_000, "invoice 1", NOW)
    here.delivered = delivered(here)
    low_balance.write_notices(NOW)
    here.in_doubt = in_doubt(here)
    report_apply.record_reports([(here.carrier, report("nobody-knows", "14045550100"))], NOW)
    here.postback = here.delivered.postbacks.earliest("pk")
    give_up(here.postback)
    return here


def carrier() -> Carrier:
    here = Carrier.objects.create(
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
    NumberPrefix.objects.create(prefix="1", carrier=here)
    return here


def template(account: Account) -> Any:
    picture = photograph()
    medium = store.NewMedium(images.inspect(picture), picture, "http://customer.example/a.jpg")
    slides = [store.NewSlide(10, "Dear {{firstname}}", (medium,)), store.NewSlide(5, "Bye", ())]
    template = Template(account=account, name="Spring", subject="Spring is here")
    store.save_template(template, slides, queue.conclude, NOW)
    return template


def rendition(medium: Any) -> Rendition:
    made = Rendition(medium=medium, recipe="320x240-jpeg", mime_type="image/jpeg", width=320, height=240)
    data = photograph(320, 240)
    made.size, made.quality, made.ssim = len(data), 90, 0.9876
    made.file.save("renditions/320x240", ContentFile(data))
    return made


def order(here: SimpleNamespace, number: str, **more: Any) -> Message:
    """A message that was just accepted."""
    order = SendRequest(
        account=here.account,
        number=number,
        sender="28444",
        carrier=here.carrier,
        template=here.template,
        service=here.service,
        country="US",
        subject="Spring is here",
        **more,
    )
    (outcome,) = accept([order], NOW)
    assert isinstance(outcome, Accepted)
    return outcome.message


def delivered(here: SimpleNamespace) -> Message:
    """DDM, its report, the content, its report."""
    message = order(here, "14044790000", ddm_text="We look at your handset", texts={"1": "Hello <b>Bill</b>"})
    claiming.claim_messages(NOW, 9)
    (discovery,) = claiming.claim_discoveries(NOW, 9)
    transitions.record_ddm_results([landing(discovery, SubmitResult(Outcome.SUBMITTED, 1000, "Success", "D1"))], NOW)
    report_apply.record_reports([(here.carrier, report("D1", message.number, IPHONE))], NOW)
    submit(SubmitResult(Outcome.SUBMITTED, 1000, "Success", "M1"))
    report_apply.record_reports([(here.carrier, report("M1", message.number, IPHONE))], NOW)
    message.refresh_from_db()
    assert message.status == Status.DELIVERED
    return message


def in_doubt(here: SimpleNamespace, number: str = "447700900123") -> Message:
    message = order(here, number)
    submit(SubmitResult(Outcome.IN_DOUBT, None, "connection reset", None))
    message.refresh_from_db()
    assert message.status == Status.IN_DOUBT
    return message


def submit(answer: SubmitResult) -> None:
    """Submits all that is due; the MMSC answers this."""
    due, _ = claiming.claim_messages(NOW, 9)
    transitions.record_submit_results([landing(message, answer) for message in due], NOW)


def landing(sent: Any, answer: SubmitResult) -> CompletedSubmit[Any]:
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
