"""The media elements of a slide: each with its codes, its caps, and what its bytes and its server may say it is."""

from dataclasses import dataclass
from typing import Final

from base import request_slots
from billing.models import Account
from mms.adaptation import images
from mms.adaptation.content import Kind, Source
from mms.adaptation.recognition import recognise
from mms.api.dialects import Dialect
from mms.api.errors import Refusal
from mms.content.downloads import DownloadedFile, DownloadError, Downloads, DownloadTooLarge
from mms.content.store import NewMedium

# What servers declare of a file that they do not know the type of.
NO_TYPE = ("", "application/octet-stream", "binary/octet-stream")


@dataclass(frozen=True, slots=True)
class Element:
    """One media element: its name (canonical), words for it, the codes of its refusals.

    `types` are the MIME types that its bytes may turn out to be, by their beginnings, and `declared` further ones
    that servers give to such files.
    """

    name: str
    words: str
    kind: Kind
    too_big: str
    unfetched: str
    types: tuple[str, ...]
    declared: tuple[str, ...]
    takes: str


MEDIA_ELEMENTS: Final = (
    Element(
        "image", "the image", Kind.IMAGE, "E331", "E351", ("image/",), (), "JPEG, PNG, GIF, WebP, HEIC, AVIF or BMP"
    ),
    Element(
        "audio",
        "the audio",
        Kind.AUDIO,
        "E332",
        "E352",
        ("audio/",),
        # MP4, 3GP and Ogg files are often called by what they can hold.
        ("video/mp4", "video/3gpp", "video/ogg", "application/ogg", "application/mp4"),
        "MP3, WAV, AMR, AAC, M4A or Ogg",
    ),
    Element(
        "video",
        "the video",
        Kind.VIDEO,
        "E333",
        "E353",
        ("video/",),
        ("application/mp4", "application/vnd.ms-asf"),
        "3GP, MP4, MPEG, AVI, WMV, MOV or WebM",
    ),
    Element(
        "vcard",
        "the vCard",
        Kind.OBJECT,
        "E335",
        "E355",
        ("text/x-vcard",),
        ("text/vcard", "text/directory", "text/plain"),
        "vCard",
    ),
    Element(
        "ical",
        "the iCalendar",
        Kind.OBJECT,
        "E336",
        "E356",
        ("text/calendar",),
        ("text/x-vcalendar", "text/plain"),
        "iCalendar",
    ),
    Element("pdf", "the PDF", Kind.OBJECT, "E337", "E357", ("application/pdf",), ("application/x-pdf",), "PDF"),
    Element(
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
    """A medium that a request asks for: the slide's number, the element, the dialect that names it, the URL."""

    position: int
    element: Element
    dialect: Dialect
    url: str


def fetch(asked: RequestedMedium, account: Account, downloads: Downloads) -> NewMedium:
    """The file at the URL, of the kind that its element promises. Raises Refusal, which names the slide."""
    position, element = asked.position, asked.element
    found = _download(asked, account, downloads)
    source = _image(position, found.data) if element.kind is Kind.IMAGE else _other(asked, found.data)
    declared = found.content_type.partition(";")[0].strip().lower()
    if declared not in NO_TYPE and not declared.startswith(element.types + element.declared):
        contradiction = f"the file is {source.mime_type}, its server calls it {declared[:40]}"
        raise Refusal("E629", f"slide {position}: {contradiction}: let its Content-Type be right")
    return NewMedium(source, found.data, asked.url)


def _download(asked: RequestedMedium, account: Account, downloads: Downloads) -> DownloadedFile:
    """The file as the customer's server gives it, however long that takes: nobody else waits for it."""
    position, element = asked.position, asked.element
    try:
        with request_slots.released():
            return downloads.fetch(asked.url, _cap(element.kind, account))
    except DownloadTooLarge as problem:
        raise Refusal(element.too_big, f"slide {position}: {element.words} is too big: {problem}") from None
    except DownloadError as problem:
        raise Refusal(element.unfetched, f"slide {position}: {element.words} could not be fetched: {problem}") from None


def _cap(kind: Kind, account: Account) -> int:
    """Bytes that a source of this kind may have."""
    return {
        Kind.IMAGE: account.image_bytes_max,
        Kind.AUDIO: account.audio_bytes_max,
        Kind.VIDEO: account.video_bytes_max,
        Kind.OBJECT: account.object_bytes_max,
    }[kind]


def _image(position: int, data: bytes) -> Source:
    try:
        return images.inspect(data)
    except images.NotAnImage as problem:
        raise Refusal("E629", f"slide {position}: {problem}") from None
    except images.ImageError as problem:
        raise Refusal("E341", f"slide {position}: {problem}") from None


def _other(asked: RequestedMedium, data: bytes) -> Source:
    position, element, source = asked.position, asked.element, recognise(data)
    if source is None:
        raise Refusal("E629", f"slide {position}: {element.words} is no {element.takes} file, or is incomplete")
    if not source.mime_type.startswith(element.types):
        right = next(asked.dialect.parameters[e.name] for e in MEDIA_ELEMENTS if source.mime_type.startswith(e.types))
        raise Refusal(
            "E629", f"slide {position}: {element.words} is {source.mime_type}: send it as {right}, or another file"
        )
    return source
