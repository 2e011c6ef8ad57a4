"""Media and renditions shown to operators. They have no public address: only the console streams them."""

from io import BytesIO

from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from PIL import ImageOps

from mms.adaptation.decoding import ImageError, opened
from mms.models import Medium, Rendition

THUMBNAIL = (240, 240)  # pixels, at most


def original(stored: Medium | Rendition) -> HttpResponseBase:
    """The file as it is stored. It came from a customer, so it may do nothing in the operator's browser."""
    return _guarded(FileResponse(stored.file.open(), content_type=stored.mime_type))


def thumbnail(stored: Medium | Rendition) -> HttpResponseBase:
    """A small upright picture of it; 404 where it cannot be opened."""
    with stored.file.open() as file:
        data = bytes(file.read())
    try:
        with opened(data) as image:
            image.thumbnail(THUMBNAIL)
            small = ImageOps.exif_transpose(image).convert("RGBA")
    except ImageError as error:
        return HttpResponse(str(error), status=404, content_type="text/plain")
    out = BytesIO()
    small.save(out, "WEBP", quality=80)
    return _guarded(HttpResponse(out.getvalue(), content_type="image/webp"))


def _guarded(response: HttpResponseBase) -> HttpResponseBase:
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    # A file never changes: it is stored under the hash of its bytes.
    response["Cache-Control"] = "private, max-age=86400, immutable"
    return response
