"""sendSavedMMS: stored content to one number."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from django.db.models import Exists, OuterRef
from django.utils import timezone

from base import stale_cache
from base.stale_cache import remembered
from billing.ledger import InsufficientFunds
from billing.models import Account, ApiKey
from mms.adaptation.content import Area
from mms.api import areas, dry_run, fields, idempotency
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.fallback import for_message
from mms.api.nodes import Node, Unclear
from mms.api.route import route
from mms.messages.accept import Accepted, OutcomeUnknown, Outdated, TemplateDeleted, accept, max_lifetime
from mms.messages.request import SendRequest
from mms.models import Message, SlideMedium, Template, TextArea
from mms.runtime import wakeup

LETTERED = Exists(TextArea.objects.filter(slide=OuterRef("pk")))
ILLUSTRATED = Exists(SlideMedium.objects.filter(slide=OuterRef("pk")))


@dataclass(frozen=True, slots=True)
class Found:
    """What a request sends: the template, by number the text of each slide, and what is drawn onto its picture.

    `illustrated` are the numbers of the slides that hold a medium.
    """

    template: Template
    texts: Mapping[int, str]
    illustrated: Set[int]
    areas: Mapping[int, Sequence[Area]]


# Finds what a request sends. Raises Refusal.
FindContent = Callable[[Node, Account], Found]

QUEUED = "MMS request accepted and queued for delivery"


def send_saved_mms(request: Node, key: ApiKey) -> Fields:
    """Accepts the message and answers with its tracking id. Raises Refusal."""
    if fields.flag(request, "dry_run"):
        wanted = order(request, key)
        return dry_run.foreseen(lambda: accepted(request, wanted))
    mark = idempotency.mark(request, key.account)
    answer = idempotency.first_answer(mark)
    if answer is None:
        wanted = order(request, key)
        answer = idempotency.once(mark, lambda: queued(accepted(request, wanted)))
        wakeup.ring(wakeup.WORK)
    return answer


def queued(message: Message) -> Fields:
    return success(
        mms_id=str(message.template_id),
        tracking_id=message.tracking_id,
        to=message.number,
        **{"from": message.sender},
        status_details=QUEUED,
    )


def stored(request: Node, account: Account) -> Found:
    """The template that the request names. Its text areas cost a query only where there are any."""
    template = fields.sendable_template(request, account)
    return Found(template, *_slides(template))


@remembered
def _slides(template: Template) -> tuple[Mapping[int, str], Set[int], Mapping[int, Sequence[Area]]]:
    rows = template.slides.annotate(illustrated=ILLUSTRATED, lettered=LETTERED)
    slides = list(rows.values_list("position", "text", "illustrated", "lettered"))
    areas = _areas(template) if any(lettered for *_, lettered in slides) else {}
    illustrated = {position for position, _, illustrated, _ in slides if illustrated}
    return {position: text for position, text, *_ in slides}, illustrated, areas


def _areas(template: Template) -> Mapping[int, Sequence[Area]]:
    found: dict[int, list[Area]] = defaultdict(list)
    rows = TextArea.objects.filter(slide__template=template).select_related("slide")
    for row in rows.order_by("slide__position", "pk"):
        found[row.slide.position].append(row.area())
    return found


def order(request: Node, key: ApiKey, find: FindContent = stored) -> SendRequest:
    """The request with every parameter checked, in the order of the parameter table; the first fault refuses it.

    `find` finds what is to be sent.
    """
    account = key.account
    number, country = fields.number(request)
    requested = fields.requested_sender(request, account)
    found = find(request, account)
    service = fields.service(request, account)
    operator = fields.operator(request)
    fallback = for_message(request, account, found.template)
    data = merge_data(request)  # before the texts, which it fills
    subject = filled_subject(request, found.template, data)
    texts = custom_texts(request, len(found.texts))
    filled = {**found.texts, **{int(slide): text for slide, text in texts.items()}}
    check_texts(request, filled, found.illustrated, fallback.sent_text, data)
    areas.check_filled(found.areas, data, request)
    ddm_force = fields.flag(request, "ddm_force")
    ddm_subject = fields.once(request, "ddm_subject")
    if ddm_subject:
        fields.checked_subject(ddm_subject, request.called("ddm_subject"))
    ddm_text = fields.long_text(request, "ddm_text")
    if ddm_force and not ddm_text:
        raise Refusal("E100", f"{request.called('ddm_text')} is required with {request.called('ddm_force')}")
    ddm_timeout = fields.ddm_timeout(request)
    device = fields.short_text(request, "device", 500)
    from_mask = fields.mask(request)
    client_reference = fields.short_text(request, "client_reference", 200)
    expires_at = fields.future(request, "expires_at", max_lifetime(ddm_timeout if ddm_text else 0))
    way = route(request, account, number, country, requested, operator)
    return SendRequest(
        account=account,
        number=number,
        template=found.template,
        service=service,
        operator_id=str(operator.operator_id) if operator else "",
        fallback_text=fallback.fallback_text,
        disable_fallback_sms=fallback.disable_fallback_sms,
        disable_fallback_sms_link=fallback.disable_fallback_sms_link,
        fallback_sms_link_expiration=fallback.fallback_sms_link_expiration,
        subject=subject,
        texts=texts,
        data=data,
        ddm_force=ddm_force,
        ddm_subject=ddm_subject,
        ddm_text=ddm_text,
        ddm_timeout=ddm_timeout,
        device=device,
        from_mask=from_mask,
        client_reference=client_reference,
        expires_at=expires_at,
        country=country,
        sender=way.sender.address,
        carrier=way.carrier,
        key=key,
        recalled=stale_cache.in_use(),
    )


def filled_subject(request: Node, template: Template, data: Mapping[str, str]) -> str:
    """The request's subject, else the template's, with its merge tags filled."""
    custom = fields.once(request, "custom_subject")
    what = request.called("custom_subject") if custom else "the template's subject"
    return fields.checked_subject(fields.merged(request, custom or template.subject, data, what), what)


def custom_texts(request: Node, slides: int) -> dict[str, str]:
    """Slide number -> the text that replaces the template's."""
    texts: dict[str, str] = {}
    for custom in request.all("custom_text"):
        slide, text = _custom_text(custom)
        if not slide:
            raise Refusal("E100", f"{custom.wire}: {custom.called('custom_slide')} is missing")
        position = fields.whole(slide, 1, slides)
        if position is None:
            raise Refusal("E100", f"{custom.wire}: there is no slide {slide[:10]}; there are {slides}")
        if str(position) in texts:
            raise Refusal("E100", f"{custom.wire}: there is a second text for slide {position}")
        texts[str(position)] = text
    return texts


def _custom_text(custom: Node) -> tuple[str, str]:
    place = custom.wire
    try:
        slide = custom.value("custom_slide")
        if slide:
            place = f"slide {slide[:10]}, {custom.wire}"
        text, missing = custom.value("value"), custom.one("value") is None
    except Unclear as problem:
        raise Refusal("E100", f"{place}: {problem}") from None
    if missing:
        raise Refusal("E100", f"{place}: {custom.called('value')} is missing")
    if len(text) > fields.TEXT_MAX:
        raise Refusal("E334", f"slide {slide[:10]}: the text has {len(text)} characters; 5000 are allowed")
    return slide, text


def merge_data(request: Node) -> dict[str, str]:
    """Merge tag -> value."""
    wire = request.called("data")
    try:
        data = request.one("data")
        if data and data.plain and data.text:
            raise Unclear(f"{data.wire} must hold a member for each merge tag, not text alone")
        values = [(child.wire, child.alone()) for child in data.children] if data else []
    except Unclear as problem:
        raise Refusal("E100", str(problem)) from None
    names = Counter(name.casefold() for name, _ in values)
    for name, value in values:
        if names[name.casefold()] > 1:
            raise Refusal("E100", f"{wire}: {name[:40]} stands more than once")
        if len(value) > fields.TEXT_MAX:
            raise Refusal("E100", f"{wire}: {name[:40]} has {len(value)} characters; {fields.TEXT_MAX} are allowed")
    return dict(values)


def check_texts(
    request: Node, slides: Mapping[int, str], illustrated: Set[int], fallback_text: str, data: Mapping[str, str]
) -> None:
    """Refuses texts whose merge tags cannot all be filled, or that become too long or leave a slide empty by that."""
    for slide, text in slides.items():
        filled = fields.merged(request, text, data, f"slide {slide}")
        if len(filled) > fields.TEXT_MAX:
            raise Refusal("E334", f"slide {slide}: the text with its data is longer than 5000 characters")
        if not filled.strip() and slide not in illustrated:
            raise Refusal("E313", f"slide {slide} is empty: it has no medium, and nothing is left of its text")
    name = request.called("fallback_sms_text")
    if len(fields.merged(request, fallback_text, data, name)) > fields.TEXT_MAX:
        raise Refusal("E228", f"{name} with its data is longer than {fields.TEXT_MAX} characters")


def check_not_suspended(account: Account) -> None:
    if account.status == Account.Status.BILLING_SUSPENDED:
        raise Refusal("E713", "The account is suspended for billing; settle what is due")


def accepted(request: Node, order: SendRequest) -> Message:
    check_not_suspended(order.account)
    (outcome,) = accept([order], timezone.now())
    match outcome:
        case Accepted(message):
            return message
        case InsufficientFunds():
            raise Refusal("E713", str(outcome))
        case TemplateDeleted():
            raise fields.no_template(request, str(order.template.pk))
        case Outdated():
            raise RuntimeError("current data changed while it was locked")
        case OutcomeUnknown(problem):
            raise problem
