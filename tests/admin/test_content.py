"""The admin of templates, media and renditions."""

import io
from types import SimpleNamespace

import pytest
from django.test import Client
from django.urls import reverse
from PIL import Image

from tests.wire import photograph


@pytest.mark.parametrize("name", ["medium", "rendition"])
def test_stored_file_is_served_unchanged_and_sandboxed(superuser: Client, sample: SimpleNamespace, name: str) -> None:
    response = superuser.get(reverse(f"admin:mms_{name}_file", args=[getattr(sample, name).pk]))
    assert b"".join(response) == (photograph() if name == "medium" else photograph(320, 240))
    assert response["Content-Type"] == "image/jpeg"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["medium", "rendition"])
def test_thumbnail_is_small(superuser: Client, sample: SimpleNamespace, name: str) -> None:
    response = superuser.get(reverse(f"admin:mms_{name}_thumbnail", args=[getattr(sample, name).pk]))
    assert Image.open(io.BytesIO(response.content)).size == (240, 180)


def test_thumbnail_of_an_unreadable_file_gets_404(superuser: Client, sample: SimpleNamespace) -> None:
    with sample.medium.file.open("wb") as file:
        file.write(b"no picture")
    response = superuser.get(reverse("admin:mms_medium_thumbnail", args=[sample.medium.pk]))
    assert (response.status_code, response["Content-Type"]) == (404, "text/plain")


def test_template_page_shows_slides_and_media(superuser: Client, sample: SimpleNamespace) -> None:
    response = superuser.get(reverse("admin:mms_template_change", args=[sample.template.pk]))
    (slides,) = response.context["tables"]
    assert [row.cols[:3] for row in slides.rows] == [(1, 10, "Dear {{firstname}}"), (2, 5, "Bye")]
    assert reverse("admin:mms_medium_thumbnail", args=[sample.medium.pk]) in response.content.decode()


def test_template_page_links_to_text_areas_of_slides(superuser: Client, sample: SimpleNamespace) -> None:
    slide = sample.template.slides.get(position=1)
    page = superuser.get(reverse("admin:mms_template_change", args=[sample.template.pk])).content.decode()
    address = reverse("admin:mms_slide_change", args=[slide.pk])
    assert f'<a class="text-link" href="{address}"><span class="whitespace-nowrap">0 text areas</span></a>' in page


def test_medium_page_shows_its_renditions(superuser: Client, sample: SimpleNamespace) -> None:
    page = superuser.get(reverse("admin:mms_medium_change", args=[sample.medium.pk])).content.decode()
    assert all(text in page for text in ("320x240-jpeg", "320 x 240", "0.9876"))
