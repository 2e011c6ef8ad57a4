"""Planning of a message: which media are sent unchanged, which pictures are re-encoded, and within how many bytes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mms.adaptation.attachments import (
    Attachment,
    ChosenAttachment,
    choose,
    describe_changes,
    list_attachments,
    other_media,
)
from mms.adaptation.budget import round_down, share_bytes
from mms.adaptation.content import Area, Content, Kind, SlideContent, Source
from mms.adaptation.limits import Limits, fit
from mms.adaptation.obstacles import picture_obstacles
from mms.adaptation.smil import SmilSlide, build_smil, media_location, text_location
from mms.adaptation.texts import encode, with_crlf

# Headers and boundary of one part, and of the multipart around all parts, rounded up.
PART_OVERHEAD = 200
MESSAGE_OVERHEAD = 400
# The least bytes for a picture worth sending.
PICTURE_BYTES_MIN = 1_500

# Formats that pictures can be re-encoded in, in order of preference.
TARGET_FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF"}
# Bytes per pixel at the best quality, for a photograph and for noise. The latter is granted only from surplus bytes.
USUAL_DENSITY = {"image/jpeg": 0.4, "image/png": 2.0, "image/gif": 0.7}
HIGHEST_DENSITY = {"image/jpeg": 1.1, "image/png": 4.1, "image/gif": 1.2}
FILE_HEADERS = 1_500


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to re-encode a picture: the box in pixels (in either orientation), the maximum bytes, the format."""

    box_width: int
    box_height: int
    max_bytes: int
    mime_type: str

    @property
    def key(self) -> str:
        """A stable name, which identifies a rendition together with the source's hash."""
        return f"{self.box_width}x{self.box_height}-{self.max_bytes}-{TARGET_FORMATS[self.mime_type].lower()}"


@dataclass(frozen=True, slots=True)
class Keep:
    """Send the original bytes unchanged."""

    source: Source


@dataclass(frozen=True, slots=True)
class Resize:
    """Re-encode the picture by its recipe; with text areas, for this message only."""

    source: Source
    recipe: Recipe
    areas: tuple[Area, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedSlide:
    """One slide of the plan: seconds, text, pictures, and the chosen audio, video and objects."""

    duration: float
    text: str
    images: tuple[Keep | Resize, ...]
    attachments: tuple[ChosenAttachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The slides to send within `limits`; `changes` describes the differences from the customer's content."""

    slides: tuple[PlannedSlide, ...]
    limits: Limits
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CannotFit:
    """The content cannot be sent as an MMS within its limits; `reason` is a sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Picture:
    """A picture being planned. Without obstacles its original bytes can be sent."""

    slide: int
    source: Source
    size: tuple[int, int]
    target: str
    obstacles: tuple[str, ...]
    areas: tuple[Area, ...]

    @property
    def wanted_bytes(self) -> int:
        """Bytes for good quality."""
        return self._bytes(USUAL_DENSITY) if self.obstacles else self.source.size

    @property
    def useful_bytes(self) -> int:
        """Bytes beyond which quality cannot improve."""
        return self._bytes(HIGHEST_DENSITY) if self.obstacles else self.source.size

    def _bytes(self, density: dict[str, float]) -> int:
        width, height = self.size
        return FILE_HEADERS + int(width * height * density[self.target])


def plan(content: Content, limits: Limits) -> Plan | CannotFit:
    """Plan how to fit `content` into `limits`.

    Texts and SMIL get their bytes first, objects next; pictures, audio and video share the rest. Media that the
    handset does not support, or that do not fit, are left out. The total size of all parts with their headers stays
    within `limits.message_bytes`.
    """
    pictures, candidates = _pictures(content, limits), list_attachments(content, limits)
    if reason := _rejection(content, limits, pictures, candidates):
        return CannotFit(reason)
    spare = limits.message_bytes - _fixed_bytes(content, limits, pictures, candidates)
    attachments = choose(candidates, [picture.wanted_bytes for picture in pictures], spare)
    if not (pictures or attachments or any(slide.text for slide in content.slides)):
        return CannotFit(f"no audio, video or object fits into {limits.message_bytes:,} bytes")
    spare -= sum(p.variant.size for p in attachments)
    pictures = _resize_oversized(pictures, spare)
    budgets = _byte_budgets(pictures, spare)
    starved = any(p.obstacles and size < PICTURE_BYTES_MIN for p, size in zip(pictures, budgets, strict=True))
    if starved or spare < 0:
        return CannotFit(_overflow_reason(content, len(pictures), limits))
    images = [(p, _plan_image(p, size)) for p, size in zip(pictures, budgets, strict=True)]
    differences = [*_describe_changes(content, images, limits), *describe_changes(candidates, attachments, limits)]
    sentences = tuple(f"slide {slide}: {sentence}" for slide, sentence in sorted(differences, key=lambda pair: pair[0]))
    return Plan(_plan_slides(content, images, attachments), limits, sentences)


def _rejection(
    content: Content, limits: Limits, pictures: Sequence[_Picture], candidates: Sequence[Attachment]
) -> str | None:
    """Return why the content cannot be sent at any size, if so."""
    if not limits.takes_mms:
        return "the handset does not support MMS"
    supported = [*pictures, *(attachment for attachment in candidates if attachment.variants)]
    if not supported and not any(slide.text for slide in content.slides):
        return "the message has nothing that the handset can show"
    return None


def _pictures(content: Content, limits: Limits) -> list[_Picture]:
    """Return every picture of the message; none if the handset supports none of the target formats."""
    target = next((mime_type for mime_type in TARGET_FORMATS if mime_type in limits.mime_types), None)
    if target is None:
        return []
    return [
        _Picture(
            n,
            source,
            _fitted_size(source, limits),
            target,
            tuple(picture_obstacles(slide, source, limits)),
            slide.areas,
        )
        for n, slide in enumerate(content.slides, 1)
        for source in slide.media
        if source.kind is Kind.IMAGE
    ]


def _fitted_size(source: Source, limits: Limits) -> tuple[int, int]:
    return fit(source.width, source.height, limits.image_width, limits.image_height)


def _fixed_bytes(
    content: Content, limits: Limits, pictures: Sequence[_Picture], candidates: Sequence[Attachment]
) -> int:
    """Return the bytes of everything except the media themselves."""
    texts = [_encoded_text(slide, limits) for slide in content.slides if slide.text]
    presentation = _longest_smil(content, limits) if limits.smil else b""
    media = len(pictures) + sum(bool(attachment.variants) for attachment in candidates)
    parts = len(texts) + media + (1 if presentation else 0)
    written = len(content.subject.encode()) + len(presentation) + sum(map(len, texts))
    return MESSAGE_OVERHEAD + parts * PART_OVERHEAD + written


def _encoded_text(slide: SlideContent, limits: Limits) -> bytes:
    return encode(with_crlf(slide.text), limits.charset)


def _longest_smil(content: Content, limits: Limits) -> bytes:
    """Return the presentation at its maximum length: every slide with all its possible parts and the longest names."""
    slides = tuple(
        SmilSlide(
            slide.duration,
            media_location(number, "image/webp"),
            text_location(number),
            media_location(number, "audio/mpeg") if other_media(slide) else None,
            media_location(number, "video/3gpp") if other_media(slide) else None,
        )
        for number, slide in enumerate(content.slides, 1)
    )
    return build_smil(slides, limits.screen_width, limits.screen_height)


def _resize_oversized(pictures: list[_Picture], spare: int) -> list[_Picture]:
    """Mark the pictures whose original bytes exceed their share of `spare` as to be re-encoded.

    Mark one at a time, the largest first: the bytes that it frees may be enough for the next.
    """
    shares = share_bytes([picture.wanted_bytes for picture in pictures], spare)
    starved = [p for p, size in zip(pictures, shares, strict=True) if not p.obstacles and size < p.wanted_bytes]
    if not starved:
        return pictures
    largest = max(starved, key=lambda picture: picture.wanted_bytes)
    reason = f"its {largest.source.size:,} bytes are more than its share of the message"
    return _resize_oversized([replace(p, obstacles=(reason,)) if p is largest else p for p in pictures], spare)


def _byte_budgets(pictures: Sequence[_Picture], spare: int) -> list[int]:
    """Return the bytes for each picture: its need first, then its part of the surplus that it can use."""
    shares = share_bytes([picture.wanted_bytes for picture in pictures], spare)
    extra = share_bytes([p.useful_bytes - size for p, size in zip(pictures, shares, strict=True)], spare - sum(shares))
    return [size + more for size, more in zip(shares, extra, strict=True)]


def _plan_image(picture: _Picture, budget: int) -> Keep | Resize:
    if not picture.obstacles:
        return Keep(picture.source)
    max_bytes = budget if budget == picture.useful_bytes else round_down(budget)
    return Resize(picture.source, Recipe(*picture.size, max_bytes, picture.target), picture.areas)


def _overflow_reason(content: Content, pictures: int, limits: Limits) -> str:
    text_bytes = sum(len(_encoded_text(slide, limits)) for slide in content.slides)
    counted = [f"{pictures} picture{'s' if pictures > 1 else ''}"] if pictures else []
    if text_bytes:
        counted.append(f"{text_bytes:,} bytes of text")
    verb = "does" if counted == ["1 picture"] else "do"
    return f"{' and '.join(counted)} {verb} not fit into {limits.message_bytes:,} bytes"


def _plan_slides(
    content: Content, images: Sequence[tuple[_Picture, Keep | Resize]], attachments: Sequence[ChosenAttachment]
) -> tuple[PlannedSlide, ...]:
    """Return the slides to send, without those that have nothing left."""
    planned = (
        PlannedSlide(
            slide.duration,
            slide.text,
            tuple(image for p, image in images if p.slide == number),
            tuple(p for p in attachments if p.attachment.slide == number),
        )
        for number, slide in enumerate(content.slides, 1)
    )
    return tuple(slide for slide in planned if slide.text or slide.images or slide.attachments)


def _describe_changes(
    content: Content, images: Sequence[tuple[_Picture, Keep | Resize]], limits: Limits
) -> Iterator[tuple[int, str]]:
    """Yield (slide number, sentence) for each difference from the customer's texts and pictures."""
    for number, slide in enumerate(content.slides, 1):
        if any(medium.kind is Kind.IMAGE for medium in slide.media) and not images:
            formats = _join_with_or(TARGET_FORMATS.values())
            yield number, f"the picture is left out: the handset does not support {formats}"
        for picture, image in images:
            if picture.slide == number and isinstance(image, Resize):
                yield number, _describe_resize(picture, image.recipe)
        if _encoded_text(slide, limits).decode(limits.charset) != with_crlf(slide.text):
            yield number, f"characters missing in {limits.charset} are replaced"


def _join_with_or(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _describe_resize(picture: _Picture, recipe: Recipe) -> str:
    source = picture.source
    subject = "the first frame of the animation" if source.frames > 1 else "the picture"
    white = ", transparent parts white" if source.transparent and recipe.mime_type != "image/png" else ""
    return (
        f"{subject} is re-encoded as {TARGET_FORMATS[recipe.mime_type]} of at most "
        f"{recipe.box_width} x {recipe.box_height} pixels and {recipe.max_bytes:,} bytes{white}: "
        f"{', '.join(picture.obstacles)}"
    )
