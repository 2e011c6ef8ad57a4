"""Stored content: templates with their slides, media and the renditions made of them."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import pluralize
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from mms.admin import pictures, search
from mms.admin.audit import AuditAdmin
from mms.admin.tables import MOST, Row, Table, bytes_of, label, link, moment, unbroken
from mms.models import Encoding, Medium, Rendition, Slide, Template


def shown(stored: Medium | Rendition) -> SafeString:
    """Its thumbnail, or the type of what has none, as a link to the file itself."""
    name = f"admin:mms_{stored._meta.model_name}"
    if not stored.mime_type.startswith("image/"):
        return format_html(
            '<a class="text-link" href="{}">{}</a> ', reverse(f"{name}_file", args=[stored.pk]), stored.mime_type
        )
    return format_html(
        '<a href="{}" target="_blank"><img class="rounded-default" style="max-height: 6rem"'
        ' src="{}" alt="{}" loading="lazy"></a>',
        reverse(f"{name}_file", args=[stored.pk]),
        reverse(f"{name}_thumbnail", args=[stored.pk]),
        stored,
    )


def pixels(stored: Medium | Rendition) -> str:
    return f"{stored.width} x {stored.height}" if stored.width else "-"


class StoredAdmin(AuditAdmin):
    """Pages over stored files."""

    def get_urls(self) -> list[URLPattern]:
        return [
            self._path("file", pictures.original),
            self._path("thumbnail", pictures.thumbnail),
            *super().get_urls(),
        ]

    def _path(self, name: str, answer: Callable[[Medium | Rendition], HttpResponseBase]) -> URLPattern:
        view = self.admin_site.admin_view(partial(self._stored, answer))
        pattern: URLPattern = path(f"<int:key>/{name}", view, name=f"mms_{self.opts.model_name}_{name}")
        return pattern

    def _stored(
        self, answer: Callable[[Medium | Rendition], HttpResponseBase], request: HttpRequest, key: int
    ) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return answer(get_object_or_404(self.model, pk=key))

    @display(description="")
    def preview(self, stored: Medium | Rendition) -> SafeString:
        return shown(stored)

    @display(description="pixels")
    def pixels(self, stored: Medium | Rendition) -> str:
        return pixels(stored)

    @display(description="size")
    def bytes(self, stored: Medium | Rendition) -> str:
        return bytes_of(stored.size)


@admin.register(Template)
class TemplateAdmin(AuditAdmin):
    list_display = ("id", "name", "account", "subject", "shown_status", "created_at", "deleted_at")
    list_display_links = ("id", "name")
    list_select_related = ("account",)
    list_filter = (("account", AutocompleteSelectFilter), "status")
    search_fields = ("name",)
    search_help_text = "mms-id, name or account"
    fields = (
        ("id", "name"),
        ("account", "subject"),
        ("shown_status", "problem"),
        ("created_at", "deleted_at"),
        ("fallback_text", "fallback_sms_link_expiration"),
        ("disable_fallback_sms", "disable_fallback_sms_link"),
    )

    @display(description="status")
    def shown_status(self, template: Template) -> SafeString:
        return label(template.status)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Template], search_term: str
    ) -> tuple[QuerySet[Template], bool]:
        return (queryset.filter(_templates(search_term)) if search_term else queryset), False

    def tables(self, row: Template) -> Iterable[Table]:
        slides = row.slides.prefetch_related("media", "areas")
        headers = ("Slide", "Seconds", "Text", "Media", "On its picture")
        return (Table("Slides", headers, [_slide(slide) for slide in slides]),)


def _templates(term: str) -> Q:
    named = Q(name__icontains=term.strip()) | search.of_account(term)
    return named | Q(pk=int(term)) if search.NUMBER.fullmatch(term.strip()) else named


def _slide(slide: Slide) -> Row:
    media = (
        (shown(medium), link(medium, unbroken(f"{pixels(medium)}, {bytes_of(medium.size)}")))
        for medium in slide.media.all()
    )
    texts = len(slide.areas.all())
    drawn = link(slide, unbroken(f"{texts} text{pluralize(texts)}"))
    return Row((slide.position, slide.duration, slide.text, format_html_join("", "{}{}", media), drawn))


@admin.register(Medium)
class MediumAdmin(StoredAdmin):
    list_display = ("preview", "__str__", "mime_type", "pixels", "bytes", "created_at")
    list_display_links = ("__str__",)
    search_fields = ("sha256__startswith",)
    search_help_text = "The beginning of its SHA-256"
    fields = (
        "preview",
        "sha256",
        ("mime_type", "bytes"),
        ("pixels", "orientation"),
        ("transparent", "cmyk"),
        ("frames", "created_at"),
    )

    def get_fields(self, request: HttpRequest, obj: Medium | None = None) -> Any:
        picture = obj is None or obj.kind == Medium.Kind.IMAGE
        return self.fields if picture else ("preview", "sha256", ("mime_type", "bytes"), "created_at")

    def tables(self, row: Medium) -> Iterable[Table]:
        headers = ("", "Recipe", "Type", "Pixels", "Size", "Quality", "SSIM", "Made")
        made = row.renditions.order_by("pk")[:MOST]
        renditions = Table("Renditions", headers, [_rendition(rendition) for rendition in made])
        encodings = [_encoding(encoding) for encoding in Encoding.objects.filter(medium=row)]
        return (renditions, *([Table("Encoding", ENCODING_HEADERS, encodings)] if encodings else []))


ENCODING_HEADERS = ("Status", "Due", "Tries", "Seconds", "Problem")


def _encoding(encoding: Encoding) -> Row:
    at = moment(encoding.due_at)
    return Row((label(encoding.status), at, encoding.tries, encoding.seconds, encoding.problem))


def _rendition(rendition: Rendition) -> Row:
    likeness = "-" if rendition.ssim is None else f"{rendition.ssim:.4f}"
    return Row(
        (
            shown(rendition),
            link(rendition),
            rendition.mime_type,
            pixels(rendition),
            bytes_of(rendition.size),
            rendition.quality,
            likeness,
            moment(rendition.created_at),
        )
    )


@admin.register(Rendition)
class RenditionAdmin(StoredAdmin):
    list_display = ("preview", "recipe", "mime_type", "pixels", "bytes", "quality", "likeness", "created_at")
    list_display_links = ("recipe",)
    fields = (
        ("preview", "medium"),
        ("recipe", "mime_type"),
        ("pixels", "bytes"),
        ("quality", "likeness"),
        "created_at",
    )

    @display(description="SSIM")
    def likeness(self, rendition: Rendition) -> str:
        return "-" if rendition.ssim is None else f"{rendition.ssim:.4f}"
