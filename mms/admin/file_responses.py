"""HTTP responses with stored media, renditions and previews. Only the admin serves these files."""

from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from PIL import Image, ImageDraw, ImageOps

from base import sql
from mms.adaptation import text_drawing
from mms.adaptation.content import Area
from mms.adaptation.decoding import DecodingBusy, ImageError, open_image
from mms.models import Medium, Rendition
from mms.rendering import compose

# Largest width and height in pixels.
THUMBNAIL_SIZE = (240, 240)
PREVIEW_SIZE = (960, 960)


def file_response(stored: Medium | Rendition) -> HttpResponseBase:
    """Return the stored file. Customers supply it, so the browser must not run anything in it."""
    return _secure(FileResponse(stored.file.open(), content_type=stored.mime_type))


def thumbnail_response(stored: Medium | Rendition) -> HttpResponseBase:
    """Return a small upright image of the file; 404 if it cannot be opened, 503 while others take the memory."""
    with stored.file.open() as file:
        data = bytes(file.read())
    sql.release_connection()  # other pictures may have to be decoded first
    try:
        with open_image(data) as image:
            image.thumbnail(THUMBNAIL_SIZE)
            small = ImageOps.exif_transpose(image).convert("RGBA")
    except ImageError as error:
        return HttpResponse(str(error), status=404, content_type="text/plain")
    except DecodingBusy as error:
        return _busy(error)
    return _secure(_webp(small))


def preview_response(medium: Medium, areas: Iterable[Area]) -> HttpResponseBase:
    """Return the picture with the text areas outlined and drawn; a text that cannot be drawn is left out.

    503 while other pictures take the memory.
    """
    size = compose.source_of(medium).upright_size
    with medium.file.open() as file:
        data = bytes(file.read())
    sql.release_connection()
    try:
        with open_image(data) as image:
            image.thumbnail(PREVIEW_SIZE)
            picture = ImageOps.exif_transpose(image).convert("RGBA")
    except DecodingBusy as error:
        return _busy(error)
    for area in areas:
        _outline(picture, area, picture.width / size[0])
        with suppress(text_drawing.TextDrawingError):
            picture = text_drawing.draw_areas(picture, [area], size)
    response = _webp(picture)
    response["Cache-Control"] = "no-store"
    return response


def _busy(error: DecodingBusy) -> HttpResponse:
    return HttpResponse(str(error), status=503, content_type="text/plain", headers={"Retry-After": "10"})


def _outline(picture: Image.Image, area: Area, scale: float) -> None:
    box = (area.left, area.top, area.left + area.width, area.top + area.height)
    ImageDraw.Draw(picture).rectangle([edge * scale for edge in box], outline="#3B82F6")


def _webp(picture: Image.Image) -> HttpResponse:
    out = BytesIO()
    picture.save(out, "WEBP", quality=80)
    return HttpResponse(out.getvalue(), content_type="image/webp")


def _secure(response: HttpResponseBase) -> HttpResponseBase:
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    # A file never changes, because it is stored under the hash of its content.
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
