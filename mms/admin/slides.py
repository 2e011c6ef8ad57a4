"""The admin of slides: read-only content, editable text areas, and a preview."""

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Model, Q
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import StackedInline
from unfold.decorators import display
from unfold.widgets import UnfoldAdminColorInputWidget, UnfoldAdminTextareaWidget

from mms.adaptation import text_drawing
from mms.adaptation.content import AREAS_MAX, Area
from mms.admin import file_responses, masking, search
from mms.admin.records import RecordAdmin
from mms.models import Medium, Slide, TextArea
from mms.rendering import compose


def still_picture(slide: Slide) -> Medium | None:
    """Return the slide's still picture, onto which texts can be drawn, if it has one."""
    return slide.media.filter(kind=Medium.Kind.IMAGE, frames=1).first()


class TextAreaForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker alone
    class Meta:
        widgets = {"text": UnfoldAdminTextareaWidget({"rows": 2}), "color": UnfoldAdminColorInputWidget}

    def clean(self) -> dict[str, Any]:
        """Refuse the same text areas as saveMMS."""
        cleaned = super().clean() or {}
        picture = still_picture(self.instance.slide)
        if self.errors or picture is None:
            return cleaned
        area = Area(**{field.name: cleaned[field.name] for field in fields(Area)})
        if problem := text_drawing.bounds_problem(area, compose.source_of(picture).upright_size):
            self.add_error("left", problem)
        try:
            text_drawing.check_area(area)
        except text_drawing.TextDrawingError as error:
            self.add_error("text", str(error))
        return cleaned


@display(description="text")
def masked_text(area: TextArea) -> str:
    """Return the text of a text area with its numbers masked."""
    return masking.mask_text(area.text)


class TextAreaInline(StackedInline):
    model = TextArea
    form = TextAreaForm
    fields = (
        "text",
        ("left", "top"),
        ("width", "height"),
        ("font", "font_size"),
        ("align", "vertical_align"),
        "color",
    )
    extra = 0
    max_num = AREAS_MAX

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Mask the texts for operators who may neither see numbers nor edit the text areas."""
        raw = masking.may_see_numbers(request) or self.has_change_permission(request, obj)
        return self.fields if raw else (masked_text, *self.fields[1:])

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return [name for name in self.get_fields(request, obj) if callable(name)]

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return (
            isinstance(obj, Slide) and still_picture(obj) is not None and bool(super().has_add_permission(request, obj))
        )


@admin.register(Slide)
class SlideAdmin(RecordAdmin):
    list_display = ("id", "template", "position", "duration", "text")
    list_select_related = ("template",)
    search_fields = ("template",)
    search_help_text = "MMS ID of the template"
    fields = (("template", "position"), ("duration", "text"), "preview")
    readonly_fields = ("template", "position", "duration", "text", "preview")
    inlines = (TextAreaInline,)

    def found(self, term: str, *, exact: bool) -> Q:
        return Q(template=int(term)) if search.NUMBER.fullmatch(term) else Q(pk__in=[])

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        """Allow editing of the text areas; the slide's own fields are read-only."""
        return self.may_act(request)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self._picture)
        return [path("<int:key>/picture", view, name="mms_slide_picture"), *super().get_urls()]

    def _picture(self, request: HttpRequest, key: int) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied
        slide = get_object_or_404(Slide, pk=key)
        picture = still_picture(slide)
        if picture is None:
            raise Http404
        mask = masking.text_mask(request)
        areas = [replace(area, text=mask(area.text)) for area in _samples(slide)]
        return file_responses.preview_response(picture, areas)

    @display(description="preview")
    def preview(self, slide: Slide) -> SafeString:
        """Return the picture with the stored texts; a merge tag shows its default or its name."""
        if still_picture(slide) is None:
            return SafeString("The slide has no still picture to draw texts onto.")
        image = format_html(
            '<img class="rounded-default" style="max-width: 100%" src="{}" alt="">',
            reverse("admin:mms_slide_picture", args=[slide.pk]),
        )
        return image + format_html_join("", "<p>Text area {}: {}</p>", _problems(slide))


def _samples(slide: Slide) -> list[Area]:
    return [text_drawing.with_sample_text(row.area()) for row in slide.areas.all()]


def _problems(slide: Slide) -> Iterator[tuple[int, str]]:
    for number, area in enumerate(_samples(slide), 1):
        try:
            text_drawing.lay_out(area)
        except text_drawing.TextDrawingError as problem:
            yield number, str(problem)
