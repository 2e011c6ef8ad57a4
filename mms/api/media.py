"""The media elements of a slide: their error codes and size limits, and the fetching and checking of their files."""

from dataclasses import dataclass
from typing import Final

import structlog

from base import request_slots
from billing.models import Account
from mms.adaptation import images
from mms.adaptation.content import Kind, Source
from mms.adaptation.recognition import recognise
from mms.api.dialects import Dialect
from mms.api.errors import Refusal
from mms.content.downloads import DownloadedFile, DownloadError, Downloads, DownloadTooLarge
from mms.content.store import NewMedium

log = structlog.get_logger()

# The code of refusals that say nothing about the file.
BUSY = "E113"
# Content types that servers send for files of unknown type.
UNKNOWN_TYPES = ("", "application/octet-stream", "binary/octet-stream")


@dataclass(frozen=True, slots=True)
class MediaElement:
    """A media element of a slide, by its canonical name.

    `label` and `formats` appear in error messages. `mime_types` are prefixes of the MIME types that the file's bytes
    may have; `declared_types` are other types that servers declare for such files.
    """

    name: str
    label: str
    kind: Kind
    too_large_code: str
    fetch_failed_code: str
    mime_types: tuple[str, ...]
    declared_types: tuple[str, ...]
    formats: str


MEDIA_ELEMENTS: Final = (
    MediaElement(
        "image", "the image", Kind.IMAGE, "E331", "E351", ("image/",), (), "JPEG, PNG, GIF, WebP, HEIC, AVIF or BMP"
    ),
    MediaElement(
        "audio",
        "the audio",
        Kind.AUDIO,
        "E332",
        "E352",
        ("audio/",),
        # MP4, 3GP, Ogg, ASF and Matroska are containers, often declared as video.
        ("video/mp4", "video/3gpp", "video/ogg", "video/x-ms-asf", "video/webm", "application/ogg", "application/mp4"),
        "MP3, WAV, AMR, AAC, M4A, Ogg, FLAC, AIFF, WMA or Matroska",
    ),
    MediaElement(
        "video",
        "the video",
        Kind.VIDEO,
        "E333",
        "E353",
        ("video/",),
        ("application/mp4", "application/vnd.ms-asf"),
        "3GP, MP4, MPEG, AVI, WMV, MOV, WebM, Matroska or FLV",
    ),
    MediaElement(
        "vcard",
        "the vCard",
        Kind.OBJECT,
        "E335",
        "E355",
        ("text/x-vcard",),
        ("text/vcard", "text/directory", "text/plain"),
        "vCard",
    ),
    MediaElement(
        "ical",
        "the iCalendar",
        Kind.OBJECT,
        "E336",
        "E356",
        ("text/calendar",),
        ("text/x-vcalendar", "text/plain"),
        "iCalendar",
    ),
    MediaElement("pdf", "the PDF", Kind.OBJECT, "E337", "E357", ("application/pdf",), ("application/x-pdf",), "PDF"),
    MediaElement(
        "passbook",
        "the pass",
        Kind.OBJECT,
        "E338",
        "E358",
        ("application/vnd.apple.pkpass",),
        ("application/zip", "application/x-zip-compressed"),
        "pkpass",
    ),
)


@dataclass(frozen=True, slots=True)
class RequestedMedium:
    """A medium of a request that is not fetched yet, on the slide at `position`."""

    position: int
    element: MediaElement
    dialect: Dialect
    url: str


def fetch(requested: RequestedMedium, account: Account, downloads: Downloads) -> NewMedium:
    """Return the file at the URL, checked to be of the element's kind. Raises Refusal.

    Of a server at a private address, the customer learns only whether it delivered a file: the reason could tell which
    ports of the platform's own network are open. The log has it.
    """
    try:
        return _fetch(requested, account, downloads)
    except Refusal as refusal:
        if not downloads.private or refusal.code == BUSY:
            raise
        log.info("private file refused", account=account.pk, code=refusal.code, problem=refusal.info)
        raise _not_fetched(requested, "its server, at a private address, did not deliver a valid file") from None


def _fetch(requested: RequestedMedium, account: Account, downloads: Downloads) -> NewMedium:
    position, element = requested.position, requested.element
    found = _download(requested, account, downloads)
    source = _image(position, found.data) if element.kind is Kind.IMAGE else _other(requested, found.data)
    declared = found.content_type.partition(";")[0].strip().lower()
    if declared not in UNKNOWN_TYPES and not declared.startswith(element.mime_types + element.declared_types):
        contradiction = f"the file is {source.mime_type}, but its server declares {declared[:40]}"
        raise Refusal("E629", f"slide {position}: {contradiction}; correct the Content-Type")
    return NewMedium(source, found.data, requested.url)


def _download(requested: RequestedMedium, account: Account, downloads: Downloads) -> DownloadedFile:
    """Download the file, with the request slot released: other requests are processed while this one waits."""
    position, element = requested.position, requested.element
    try:
        with request_slots.released():
            return downloads.fetch(requested.url, _size_limit(element.kind, account))
    except DownloadTooLarge as problem:
        raise Refusal(element.too_large_code, f"slide {position}: {element.label} is too large: {problem}") from None
    except DownloadError as problem:
        raise _not_fetched(requested, str(problem)) from None


def _not_fetched(requested: RequestedMedium, reason: str) -> Refusal:
    element = requested.element
    return Refusal(
        element.fetch_failed_code, f"slide {requested.position}: {element.label} could not be fetched: {reason}"
    )


def _size_limit(kind: Kind, account: Account) -> int:
    """Return the largest size of a file of this kind, in bytes."""
    return {
        Kind.IMAGE: account.image_bytes_max,
        Kind.AUDIO: account.audio_bytes_max,
        Kind.VIDEO: account.video_bytes_max,
        Kind.OBJECT: account.object_bytes_max,
    }[kind]


def _image(position: int, data: bytes) -> Source:
    try:
        return images.inspect(data)
    except images.DecodingBusy as problem:
        raise Refusal(BUSY, f"slide {position}: {problem}; wait, then retry") from None
    except images.NotAnImage as problem:
        raise Refusal("E629", f"slide {position}: {problem}") from None
    except images.ImageError as problem:
        raise Refusal("E341", f"slide {position}: {problem}") from None


def _other(requested: RequestedMedium, data: bytes) -> Source:
    position, element, source = requested.position, requested.element, recognise(data)
    if source is None:
        raise Refusal("E629", f"slide {position}: {element.label} is not a valid {element.formats} file")
    if not source.mime_type.startswith(element.mime_types):
        expected = next(
            requested.dialect.parameters[e.name] for e in MEDIA_ELEMENTS if source.mime_type.startswith(e.mime_types)
        )
        raise Refusal(
            "E629",
            f"slide {position}: {element.label} is {source.mime_type}; send it as {expected}, or send another file",
        )
    return source
