"""The presentation part of a message: MMS SMIL, as in the OMA MMS Conformance Document, chapter "MMS SMIL"."""

from dataclasses import dataclass
from functools import lru_cache
from xml.etree.ElementTree import Element, SubElement, tostring

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/heic": "heic",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "audio/amr": "amr",
    "audio/mp4": "m4a",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "video/mp4": "mp4",
    "video/3gpp": "3gp",
    "text/x-vcard": "vcf",
    "text/vcard": "vcf",
    "text/calendar": "ics",
    "text/x-vcalendar": "ics",
    "application/pdf": "pdf",
    "application/vnd.apple.pkpass": "pkpass",
}

Box = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class SmilSlide:
    """One slide: its duration in seconds and the Content-Location of each of its parts.

    A video takes the region of the picture; no slide has both.
    """

    duration: float
    image: str | None
    text: str | None
    audio: str | None = None
    video: str | None = None


def media_location(slide: int, mime_type: str) -> str:
    """Return the Content-Location of a slide's medium. Raises KeyError for an unknown type."""
    return f"slide{slide}.{EXTENSIONS[mime_type]}"


def text_location(slide: int) -> str:
    """Return the Content-Location of a slide's text."""
    return f"slide{slide}.txt"


@lru_cache(maxsize=256)  # the messages of a campaign share their SMIL
def build_smil(slides: tuple[SmilSlide, ...], screen_width: int, screen_height: int) -> bytes:
    """Return the SMIL document in ASCII: a root layout of the screen size (pixels) and one `par` per slide.

    The regions `Image` and `Text` are declared only if a slide uses them.
    """
    root = Element("smil")
    layout = SubElement(SubElement(root, "head"), "layout")
    SubElement(layout, "root-layout", width=str(screen_width), height=str(screen_height))
    has_image = any(slide.image or slide.video for slide in slides)
    has_text = any(slide.text for slide in slides)
    for name, box in _regions(screen_width, screen_height, has_image, has_text).items():
        _add_region(layout, name, box)
    body = SubElement(root, "body")
    for slide in slides:
        _add_par(body, slide)
    document: bytes = tostring(root)
    return document


def _regions(width: int, height: int, has_image: bool, has_text: bool) -> dict[str, Box]:
    """Return left, top, width and height of each region: text below the picture, or beside it on a wide screen."""
    screen = (0, 0, width, height)
    if not (has_image and has_text):
        return {"Image": screen} if has_image else {"Text": screen} if has_text else {}
    if width > height:
        split = width // 2
        return {"Image": (0, 0, split, height), "Text": (split, 0, width - split, height)}
    split = height * 2 // 3
    return {"Image": (0, 0, width, split), "Text": (0, split, width, height - split)}


def _add_region(layout: Element, name: str, box: Box) -> None:
    left, top, width, height = map(str, box)
    fit = "meet" if name == "Image" else "scroll"
    SubElement(layout, "region", id=name, left=left, top=top, width=width, height=height, fit=fit)


def _add_par(body: Element, slide: SmilSlide) -> None:
    par = SubElement(body, "par", dur=f"{round(slide.duration * 1000)}ms")
    if slide.image:
        SubElement(par, "img", src=slide.image, region="Image")
    if slide.video:
        SubElement(par, "video", src=slide.video, region="Image")
    if slide.text:
        SubElement(par, "text", src=slide.text, region="Text")
    if slide.audio:
        SubElement(par, "audio", src=slide.audio)
