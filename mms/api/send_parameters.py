"""Parses the parameters of sendSavedMMS and sendMMS into a SendRequest, in the order of the parameter table."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from base.stale_cache import Freshness, stale_cached
from billing.models import Account, ApiKey
from mms.adaptation.content import Area
from mms.api import object_types, parameters, text_areas
from mms.api.errors import Refusal
from mms.api.fallback_sms import Fallback, for_message
from mms.api.message_route import choose_route
from mms.api.request_tree import InvalidParameter, Node
from mms.messages.accept import max_lifetime
from mms.messages.request import SendRequest
from mms.models import SlideMedium, Template, TextArea

HAS_AREA = Exists(TextArea.objects.filter(slide=OuterRef("pk")))
HAS_MEDIUM = Exists(SlideMedium.objects.filter(slide=OuterRef("pk")))


@dataclass(frozen=True, slots=True)
class Content:
    """The content that a request sends; texts and text areas are by slide position.

    `with_medium` holds the positions of the slides that have a medium.
    """

    template: Template
    texts: Mapping[int, str]
    with_medium: Set[int]
    areas: Mapping[int, Sequence[Area]]


# Returns the content that a request sends. Raises Refusal.
FindContent = Callable[[Node, Account, Freshness], Content]


def stored_content(request: Node, account: Account, freshness: Freshness) -> Content:
    """Return the stored content with the mms-id of the request. Raises Refusal."""
    template = parameters.sendable_template(request, account, freshness)
    return Content(template, *_slides(freshness, template))


@stale_cached
def _slides(template: Template) -> tuple[Mapping[int, str], Set[int], Mapping[int, Sequence[Area]]]:
    """Return texts, positions with a medium, and text areas; the areas take a second query only if there are any."""
    rows = template.slides.annotate(has_medium=HAS_MEDIUM, has_area=HAS_AREA)
    slides = list(rows.values_list("position", "text", "has_medium", "has_area"))
    areas = _areas(template) if any(has_area for *_, has_area in slides) else {}
    with_medium = {position for position, _, has_medium, _ in slides if has_medium}
    return {position: text for position, text, *_ in slides}, with_medium, areas


def _areas(template: Template) -> Mapping[int, Sequence[Area]]:
    found: dict[int, list[Area]] = defaultdict(list)
    rows = TextArea.objects.filter(slide__template=template).select_related("slide")
    for row in rows.order_by("slide__position", "pk"):
        found[row.slide.position].append(row.area())
    return found


def parse(request: Node, key: ApiKey, freshness: Freshness, find: FindContent = stored_content) -> SendRequest:
    """Return the send request, with every parameter checked against data of this freshness.

    `find` returns the content to send. Raises Refusal for the first fault in the order of the parameter table.
    """
    account = key.account
    number, country = parameters.recipient(request)
    requested_sender = parameters.sender(request, account, freshness)
    content = find(request, account, freshness)
    service = parameters.service(request, account, freshness)
    requested_carrier = parameters.carrier(request, freshness)
    fallback = for_message(request, account, content.template)
    data, subject, texts = _texts(request, content, fallback)
    if content.template.pk:
        object_types.check_stored(
            content.template, {str(p): text for p, text in content.texts.items()} | texts, freshness
        )
    ddm_force, ddm_subject, ddm_text, ddm_timeout = _ddm(request)
    device = parameters.short_text(request, "device", 500)
    from_mask = parameters.from_mask(request)
    client_reference = parameters.short_text(request, "client_reference", 200)
    expires_at = parameters.future_timestamp(request, "expires_at", max_lifetime(ddm_timeout if ddm_text else 0))
    chosen = choose_route(request, account, number, country, requested_sender, requested_carrier, freshness)
    return SendRequest(
        account=account,
        number=number,
        template=content.template,
        service=service,
        operator_id=str(requested_carrier.operator_id) if requested_carrier else "",
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
        sender=chosen.sender.address,
        carrier=chosen.carrier,
        key=key,
        freshness=freshness,
    )


def _texts(request: Node, content: Content, fallback: Fallback) -> tuple[dict[str, str], str, dict[str, str]]:
    """Return merge data, subject and custom texts."""
    data = merge_data(request)
    subject = filled_subject(request, content.template, data)
    texts = custom_texts(request, len(content.texts))
    replaced = {**content.texts, **{int(slide): text for slide, text in texts.items()}}
    check_texts(request, replaced, content.with_medium, fallback.sent_text, data)
    text_areas.check_filled(content.areas, data, request)
    return data, subject, texts


def _ddm(request: Node) -> tuple[bool, str, str, int]:
    """Return the discovery parameters: whether it is forced, subject, text, timeout in minutes."""
    force = parameters.flag(request, "ddm_force")
    subject = parameters.text_of(request, "ddm_subject")
    if subject:
        parameters.check_subject(subject, request.name_of("ddm_subject"))
    text = parameters.long_text(request, "ddm_text")
    if force and not text:
        raise Refusal("E100", f"{request.name_of('ddm_text')} is required with {request.name_of('ddm_force')}")
    return force, subject, text, parameters.ddm_timeout(request)


def filled_subject(request: Node, template: Template, data: Mapping[str, str]) -> str:
    """Return the request's subject, else the template's, with its merge tags filled. Raises Refusal."""
    custom = parameters.text_of(request, "custom_subject")
    label = request.name_of("custom_subject") if custom else "the template's subject"
    return parameters.check_subject(parameters.fill_merge_tags(request, custom or template.subject, data, label), label)


def custom_texts(request: Node, slides: int) -> dict[str, str]:
    """Return slide position -> text that replaces the one of the template. Raises Refusal."""
    texts: dict[str, str] = {}
    for custom in request.all("custom_text"):
        slide, text = _custom_text(custom)
        if not slide:
            raise Refusal("E100", f"{custom.name}: {custom.name_of('custom_slide')} is missing")
        position = parameters.parse_integer(slide, 1, slides)
        if position is None:
            raise Refusal("E100", f"{custom.name}: there is no slide {slide[:10]}; the number of slides is {slides}")
        if str(position) in texts:
            raise Refusal("E100", f"{custom.name}: slide {position} is given more than once")
        texts[str(position)] = text
    return texts


def _custom_text(custom: Node) -> tuple[str, str]:
    place = custom.name
    try:
        slide = custom.value("custom_slide")
        if slide:
            place = f"slide {slide[:10]}, {custom.name}"
        text, missing = custom.value("value"), custom.one("value") is None
    except InvalidParameter as problem:
        raise Refusal("E100", f"{place}: {problem}") from None
    if missing:
        raise Refusal("E100", f"{place}: {custom.name_of('value')} is missing")
    if len(text) > parameters.TEXT_MAX:
        raise Refusal("E334", f"slide {slide[:10]}: the text has {len(text)} characters; at most 5000 are allowed")
    return slide, text


def merge_data(request: Node) -> dict[str, str]:
    """Return merge tag -> value. Raises Refusal."""
    name_of_data = request.name_of("data")
    try:
        data = request.one("data")
        if data and data.is_text_only and data.text:
            raise InvalidParameter(f"{data.name} must contain an entry for each merge tag, not text")
        values = [(child.name, child.checked_text()) for child in data.children] if data else []
    except InvalidParameter as problem:
        raise Refusal("E100", str(problem)) from None
    names = Counter(name.casefold() for name, _ in values)
    for name, value in values:
        if names[name.casefold()] > 1:
            raise Refusal("E100", f"{name_of_data}: {name[:40]} is given more than once")
        if len(value) > parameters.TEXT_MAX:
            lengths = f"{len(value)} characters; at most {parameters.TEXT_MAX} are allowed"
            raise Refusal("E100", f"{name_of_data}: {name[:40]} has {lengths}")
    return dict(values)


def check_texts(
    request: Node, slides: Mapping[int, str], with_medium: Set[int], fallback_text: str, data: Mapping[str, str]
) -> None:
    """Refuse texts that lack a merge value, are too long with their merge tags filled, or leave a slide empty."""
    for slide, text in slides.items():
        filled = parameters.fill_merge_tags(request, text, data, f"slide {slide}")
        if len(filled) > parameters.TEXT_MAX:
            raise Refusal("E334", f"slide {slide}: the text is longer than 5000 characters with its merge tags filled")
        if not filled.strip() and slide not in with_medium:
            raise Refusal(
                "E313", f"slide {slide} is empty: it has no medium, and its text is blank with its merge tags filled"
            )
    name = request.name_of("fallback_sms_text")
    if len(parameters.fill_merge_tags(request, fallback_text, data, name)) > parameters.TEXT_MAX:
        raise Refusal("E228", f"{name} is longer than {parameters.TEXT_MAX} characters with its merge tags filled")
