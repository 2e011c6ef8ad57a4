"""Media and renditions shown to operators. They have no public address: only the console streams them."""

from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from PIL import Image, ImageDraw, ImageOps

from mms.adaptation import text_drawing
from mms.adaptation.content import Area
from mms.adaptation.decoding import ImageError, open_image
from mms.models import Medium, Rendition
from mms.rendering import compose

THUMBNAIL = (240, 240)  # pixels, at most
LETTERED = (960, 960)


def original(stored: Medium | Rendition) -> HttpResponseBase:
    """The file as it is stored. It came from a customer, so it may do nothing in the operator's browser."""
    return _guarded(FileResponse(stored.file.open(), content_type=stored.mime_type))


def thumbnail(stored: Medium | Rendition) -> HttpResponseBase:
    """A small upright picture of it; 404 where it cannot be opened."""
    with stored.file.open() as file:
        data = bytes(file.read())
    try:
        with open_image(data) as image:
            image.thumbnail(THUMBNAIL)
            small = ImageOps.exif_transpose(image).convert("RGBA")
    except ImageError as error:
        return HttpResponse(str(error), status=404, content_type="text/plain")
    return _guarded(_webp(small))


def lettered(medium: Medium, areas: Iterable[Area]) -> HttpResponseBase:
    """The picture with these texts drawn onto it, their boxes outlined; that of one that cannot be drawn is empty."""
    size = compose.source_of(medium).upright_size
    with medium.file.open() as file, open_image(bytes(file.read())) as image:
        image.thumbnail(LETTERED)
        picture = ImageOps.exif_transpose(image).convert("RGBA")
    for area in areas:
        _outline(picture, area, picture.width / size[0])
        with suppress(text_drawing.TextDrawingError):
            picture = text_drawing.draw_areas(picture, [area], size)
    response = _webp(picture)
    response["Cache-Control"] = "no-store"
    return response


def _outline(picture: Image.Image, area: Area, scale: float) -> None:
    box = (area.left, area.top, area.left + area.width, area.top + area.height)
    ImageDraw.Draw(picture).rectangle([edge * scale for edge in box], outline="#3B82F6")


def _webp(picture: Image.Image) -> HttpResponse:
    out = BytesIO()
    picture.save(out, "WEBP", quality=80)
    return HttpResponse(out.getvalue(), content_type="image/webp")


def _guarded(response: HttpResponseBase) -> HttpResponseBase:
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    # A file never changes: it is stored under the hash of its bytes.
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
