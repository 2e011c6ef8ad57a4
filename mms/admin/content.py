"""The admin of content: templates, media and renditions."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import pluralize
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from mms.admin import file_responses, search
from mms.admin.records import RecordAdmin
from mms.admin.tables import MAX_ROWS, Row, Table, format_size, label, link, no_wrap, timestamp
from mms.models import Encoding, Medium, Rendition, Slide, Template

ENCODING_HEADERS = ("Status", "Due", "Tries", "Duration (s)", "Problem")


def file_link(stored: Medium | Rendition) -> SafeString:
    """Return a link to the file: its thumbnail, or its MIME type if it is not an image."""
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


def pixel_size(stored: Medium | Rendition) -> str:
    """Return width and height in pixels, or "-" if there are none."""
    return f"{stored.width} x {stored.height}" if stored.width else "-"


class StoredAdmin(RecordAdmin):
    """The base class of admin pages for stored files."""

    def get_urls(self) -> list[URLPattern]:
        return [
            self._path("file", file_responses.file_response),
            self._path("thumbnail", file_responses.thumbnail_response),
            *super().get_urls(),
        ]

    def _path(self, name: str, respond: Callable[[Medium | Rendition], HttpResponseBase]) -> URLPattern:
        view = self.admin_site.admin_view(partial(self._stored, respond))
        pattern: URLPattern = path(f"<int:key>/{name}", view, name=f"mms_{self.opts.model_name}_{name}")
        return pattern

    def _stored(
        self, respond: Callable[[Medium | Rendition], HttpResponseBase], request: HttpRequest, key: int
    ) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return respond(get_object_or_404(self.model, pk=key))

    @display(description="")
    def preview(self, stored: Medium | Rendition) -> SafeString:
        return file_link(stored)

    @display(description="dimensions")
    def dimensions(self, stored: Medium | Rendition) -> str:
        return pixel_size(stored)

    @display(description="size")
    def file_size(self, stored: Medium | Rendition) -> str:
        return format_size(stored.size)


@admin.register(Template)
class TemplateAdmin(RecordAdmin):
    list_display = ("id", "name", "account", "subject", "status_label", "created_at", "deleted_at")
    list_display_links = ("id", "name")
    list_select_related = ("account",)
    list_filter = (("account", AutocompleteSelectFilter), "status")
    search_fields = ("name",)
    search_help_text = "MMS ID, name or account"
    fields = (
        ("id", "name"),
        ("account", "subject"),
        ("status_label", "problem"),
        ("created_at", "deleted_at"),
        ("fallback_text", "fallback_sms_link_expiration"),
        ("disable_fallback_sms", "disable_fallback_sms_link"),
    )

    @display(description="status")
    def status_label(self, template: Template) -> SafeString:
        return label(template.status)

    def found(self, term: str, *, exact: bool) -> Q:
        # The first digits of a number in a name would reveal the next.
        whole = exact and any(map(str.isdigit, term))
        named = Q(**{"name__iexact" if whole else "name__icontains": term}) | search.by_account(term)
        return named | Q(pk=int(term)) if search.NUMBER.fullmatch(term) else named

    def tables(self, row: Template) -> Iterable[Table]:
        slides = row.slides.prefetch_related("media", "areas")
        headers = ("Slide", "Seconds", "Text", "Media", "Text areas")
        return (Table("Slides", headers, [_slide(slide) for slide in slides]),)


def _slide(slide: Slide) -> Row:
    media = (
        (file_link(medium), link(medium, no_wrap(f"{pixel_size(medium)}, {format_size(medium.size)}")))
        for medium in slide.media.all()
    )
    count = len(slide.areas.all())
    areas = link(slide, no_wrap(f"{count} text area{pluralize(count)}"))
    return Row((slide.position, slide.duration, slide.text, format_html_join("", "{}{}", media), areas))


@admin.register(Medium)
class MediumAdmin(StoredAdmin):
    list_display = ("preview", "__str__", "mime_type", "dimensions", "file_size", "created_at")
    list_display_links = ("__str__",)
    search_fields = ("sha256",)
    search_help_text = "First digits of the SHA-256"
    fields = (
        "preview",
        "sha256",
        ("mime_type", "file_size"),
        ("dimensions", "orientation"),
        ("transparent", "cmyk"),
        ("frames", "created_at"),
    )

    def get_fields(self, request: HttpRequest, obj: Medium | None = None) -> Any:
        is_image = obj is None or obj.kind == Medium.Kind.IMAGE
        return self.fields if is_image else ("preview", "sha256", ("mime_type", "file_size"), "created_at")

    def found(self, term: str, *, exact: bool) -> Q:
        return Q(sha256__startswith=term)

    def tables(self, row: Medium) -> Iterable[Table]:
        headers = ("", "Recipe", "Type", "Dimensions", "Size", "Quality", "SSIM", "Created")
        rows = row.renditions.order_by("pk")[:MAX_ROWS]
        renditions = Table("Renditions", headers, [_rendition(rendition) for rendition in rows])
        encodings = [_encoding(encoding) for encoding in Encoding.objects.filter(medium=row)]
        return (renditions, *([Table("Encoding", ENCODING_HEADERS, encodings)] if encodings else []))


def _encoding(encoding: Encoding) -> Row:
    at = timestamp(encoding.due_at)
    return Row((label(encoding.status), at, encoding.tries, encoding.seconds, encoding.problem))


def _format_ssim(rendition: Rendition) -> str:
    return "-" if rendition.ssim is None else f"{rendition.ssim:.4f}"


def _rendition(rendition: Rendition) -> Row:
    return Row(
        (
            file_link(rendition),
            link(rendition),
            rendition.mime_type,
            pixel_size(rendition),
            format_size(rendition.size),
            rendition.quality,
            _format_ssim(rendition),
            timestamp(rendition.created_at),
        )
    )


@admin.register(Rendition)
class RenditionAdmin(StoredAdmin):
    list_display = ("preview", "recipe", "mime_type", "dimensions", "file_size", "quality", "similarity", "created_at")
    list_display_links = ("recipe",)
    fields = (
        ("preview", "medium"),
        ("recipe", "mime_type"),
        ("dimensions", "file_size"),
        ("quality", "similarity"),
        "created_at",
    )

    @display(description="SSIM")
    def similarity(self, rendition: Rendition) -> str:
        return _format_ssim(rendition)
