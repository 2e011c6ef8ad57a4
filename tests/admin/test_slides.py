"""The admin of slides and their text areas."""

import io
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from mms.adaptation.content import Align, Area, Font, VerticalAlign
from mms.models import Slide
from tests.admin.forms import form_values, save_form


def test_slides_are_found_by_template(superuser: Client, sample: SimpleNamespace) -> None:
    slides = reverse("admin:mms_slide_changelist")
    found = [
        list(superuser.get(slides, {"q": term}).context["cl"].result_list)
        for term in ("", str(sample.template.pk), str(sample.template.pk + 1), "spring")
    ]
    assert [len(rows) for rows in found] == [2, 2, 0, 0]


def slide_page(slide: Slide) -> str:
    return reverse("admin:mms_slide_change", args=[slide.pk])


def area(**changes: str) -> dict[str, str]:
    """Return form values of a new text area in the first empty place of the inline."""
    values = {"text": "Dear {{name}}", "left": "10", "top": "20", "width": "700", "height": "90", "font_size": "60"}
    looks = {"font": "sans-bold", "color": "#ffffff", "align": "center", "vertical_align": "middle"}
    return {f"areas-0-{name}": text for name, text in {**values, **looks, **changes}.items()}


def test_text_areas_are_edited_and_previewed(superuser: Client, sample: SimpleNamespace) -> None:
    slide = sample.template.slides.get(position=1)
    picture = reverse("admin:mms_slide_picture", args=[slide.pk])
    plain = superuser.get(picture)
    save_form(
        superuser, slide_page(slide), form_values(superuser, slide_page(slide)) | area() | {"areas-TOTAL_FORMS": "1"}
    )
    (row,) = slide.areas.all()
    assert row.area() == Area(
        "Dear {{name}}", 10, 20, 700, 90, 60, Font.SANS_BOLD, "#ffffff", Align.CENTER, VerticalAlign.MIDDLE
    )
    lettered = superuser.get(picture)
    assert (lettered["Content-Type"], Image.open(io.BytesIO(lettered.content)).size) == ("image/webp", (800, 600))
    assert lettered.content != plain.content
    form = form_values(superuser, slide_page(slide)) | {"areas-0-text": "Hello", "text": "not the operator's to change"}
    save_form(superuser, slide_page(slide), form)
    row.refresh_from_db()
    assert (row.text, slide.text) == ("Hello", "Dear {{firstname}}")
    slide.refresh_from_db()
    assert slide.text == "Dear {{firstname}}"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"width": "791"}, "it reaches to 801 x 110 pixels; the image has 800 x 600"),
        ({"width": "0"}, "Ensure this value is greater than or equal to 1."),
        ({"font_size": "5"}, "Ensure this value is greater than or equal to 6."),
        ({"color": "white"}, "Enter a valid value."),
        ({"text": "{{name}} 日"}, "which cannot be drawn in sans-bold"),
        ({"text": "word " * 60}, "the text does not fit into its box of 700 x 90 pixels"),
    ],
)
def test_text_area_that_cannot_be_drawn_is_refused(
    superuser: Client, sample: SimpleNamespace, wrong: dict[str, str], error: str
) -> None:
    slide = sample.template.slides.get(position=1)
    form = form_values(superuser, slide_page(slide)) | area(**wrong) | {"areas-TOTAL_FORMS": "1"}
    assert error in superuser.post(slide_page(slide), form).content.decode()
    assert not slide.areas.exists()


def test_preview_reports_a_sample_text_that_does_not_fit(superuser: Client, sample: SimpleNamespace) -> None:
    slide = sample.template.slides.get(position=1)
    slide.areas.create(text="{{accountnumber}}", left=0, top=0, width=30, height=30, font_size=30)
    page = superuser.get(slide_page(slide)).content.decode()
    assert "Text area 1: the text does not fit into its box of 30 x 30 pixels" in page
    assert superuser.get(reverse("admin:mms_slide_picture", args=[slide.pk])).status_code == 200


def test_slide_without_a_still_picture_has_no_text_areas(superuser: Client, sample: SimpleNamespace) -> None:
    slide = sample.template.slides.get(position=2)
    page = superuser.get(slide_page(slide))
    assert "The slide has no still picture" in page.content.decode()
    assert superuser.get(reverse("admin:mms_slide_picture", args=[slide.pk])).status_code == 404
    superuser.post(slide_page(slide), area() | {"areas-TOTAL_FORMS": "1", "areas-INITIAL_FORMS": "0"})
    assert not slide.areas.exists()
