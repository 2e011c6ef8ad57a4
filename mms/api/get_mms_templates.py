"""The getMMSTemplates action: lists the stored content of an account, page by page."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from django.db.models import Count, Func, IntegerField, Sum

from billing.models import ApiKey
from mms.api import parameters
from mms.api.answers import Fields, format_timestamp, success
from mms.api.errors import Refusal
from mms.api.request_tree import Node
from mms.models import Slide, SlideMedium, Template, TextArea

PAGE_MAX = 1_000_000
ITEMS_DEFAULT = 100
ITEMS_MAX = 1000
OCTETS = Func("text", function="octet_length", output_field=IntegerField())


def get_mms_templates(request: Node, key: ApiKey) -> Fields:
    """Return a page of the templates that are not deleted, newest first. Raises Refusal."""
    start = parameters.timestamp(request, "start_date", "E214")
    page = _integer(request, "page_number", "E212", 1, PAGE_MAX)
    items = _integer(request, "items_per_page", "E213", ITEMS_DEFAULT, ITEMS_MAX)
    templates = Template.objects.filter(account=key.account, deleted_at=None)
    if start:
        templates = templates.filter(created_at__gte=start)
    selected = list(templates.order_by("-pk")[(page - 1) * items : page * items])
    return success(
        start_date=format_timestamp(start) if start else "",
        page_number=page,
        items_per_page=items,
        total_results=templates.count(),
        mms_template=_describe_all(selected),
    )


def _integer(request: Node, name: str, code: str, default: int, maximum: int) -> int:
    text = parameters.text_of(request, name, code)
    if not text:
        return default
    number = parameters.parse_integer(text, 1, maximum)
    if number is None:
        raise Refusal(code, f"{request.name_of(name)} must be a whole number from 1 to {maximum}")
    return number


def _describe_all(templates: Sequence[Template]) -> list[Fields]:
    slides, media, areas = _slides(templates), _media_bytes(templates), _areas(templates)
    return [
        _describe(template, *slides.get(template.pk, (0, 0)), media.get(template.pk, 0), areas[template.pk])
        for template in templates
    ]


def _describe(template: Template, slides: int, text_bytes: int, media_bytes: int, areas: Sequence[Fields]) -> Fields:
    """Return the fields of a template; its size is that of the files and texts as the customer supplied them."""
    return {
        "mms_id": str(template.pk),
        "mms_name": template.name,
        "mms_subject": template.subject,
        "date_created": format_timestamp(template.created_at),
        "total_slides": slides,
        "mms_size": text_bytes + media_bytes,
        "text_area": areas,
    }


def _slides(templates: Sequence[Template]) -> dict[int, tuple[int, int]]:
    """Return template -> number of slides, bytes of their texts."""
    rows = Slide.objects.filter(template__in=templates).values("template").order_by("template")
    counted = rows.annotate(count=Count("pk"), octets=Sum(OCTETS))
    return {key: (count, octets) for key, count, octets in counted.values_list("template", "count", "octets")}


def _media_bytes(templates: Sequence[Template]) -> dict[int, int]:
    """Return template -> bytes of its media."""
    rows = SlideMedium.objects.filter(slide__template__in=templates).values("slide__template")
    summed = rows.order_by("slide__template").annotate(octets=Sum("medium__size"))
    return dict(summed.values_list("slide__template", "octets"))


def _areas(templates: Sequence[Template]) -> Mapping[int, Sequence[Fields]]:
    """Return template -> text areas, ordered by slide."""
    found: dict[int, list[Fields]] = defaultdict(list)
    rows = TextArea.objects.filter(slide__template__in=templates).select_related("slide")
    for row in rows.order_by("slide__position", "pk"):
        found[row.slide.template_id].append({"slide": row.slide.position, **asdict(row.area())})
    return found
