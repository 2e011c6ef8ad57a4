"""Selection of the audio, video and object files that a message carries.

None of them is adapted to a single message: an audio or video is sent in one of its stored variants, an object
unchanged.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mms.adaptation.budget import share_bytes
from mms.adaptation.content import Content, Kind, SlideContent, Source, Variant
from mms.adaptation.limits import Limits
from mms.adaptation.obstacles import coding_obstacles

# Originals of these types can be sent unchanged, because the type implies the codec, unless the handset does not decode
# their coding. MP4 and 3GP files may contain any codec, profile and order, so only their encoded variants are sent.
CODEC_IMPLYING_TYPES = frozenset({"audio/amr", "audio/mpeg"})
# Alternative names of types; a handset may list either.
TYPE_ALIASES = {"text/x-vcard": "text/vcard", "text/calendar": "text/x-vcalendar", "audio/mpeg": "audio/mp3"}
# Bytes reserved for each picture.
PICTURE_RESERVE = 20_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """An audio, video or object of one slide (from 1), and the variants that the handset supports, best first."""

    slide: int
    source: Source
    variants: tuple[Variant, ...]

    @property
    def description(self) -> str:
        """Its name in a sentence."""
        return f"the {self.source.kind}" if self.source.kind is not Kind.OBJECT else f"the {self.source.mime_type} file"


@dataclass(frozen=True, slots=True)
class ChosenAttachment:
    """An attachment to send, and the variant to send it in."""

    attachment: Attachment
    variant: Variant


def list_attachments(content: Content, limits: Limits) -> list[Attachment]:
    """Return every audio, video and object of the content, in order."""
    return [
        Attachment(number, source, tuple(_accepted_variants(source, limits)))
        for number, slide in enumerate(content.slides, 1)
        for source in other_media(slide)
    ]


def other_media(slide: SlideContent) -> list[Source]:
    """Return the slide's media other than pictures."""
    return [medium for medium in slide.media if medium.kind is not Kind.IMAGE]


def _accepted_variants(source: Source, limits: Limits) -> Iterator[Variant]:
    original = Variant("", source.mime_type, source.size)
    implied = source.mime_type in CODEC_IMPLYING_TYPES and not any(coding_obstacles(source, limits))
    own = (original,) if source.kind is Kind.OBJECT or implied else ()
    for variant in own + source.variants:
        name = next((name for name in type_names(variant.mime_type) if name in limits.mime_types), None)
        if name:
            yield replace(variant, mime_type=name)


def type_names(mime_type: str) -> tuple[str, ...]:
    """Return the names that a handset may list for the type."""
    return tuple(filter(None, (mime_type, TYPE_ALIASES.get(mime_type))))


def choose(candidates: Sequence[Attachment], pictures: Sequence[int], spare: int) -> list[ChosenAttachment]:
    """Choose the attachments that fit into `spare` bytes beside pictures of the given byte needs.

    Objects come first, as they cannot be made smaller. Audio and video get the best variant within their share, else
    their smallest variant, provided that every picture keeps its reserve.
    """
    objects, playable = _split_by_kind([a for a in candidates if a.variants])
    chosen = _choose_objects(objects, spare)
    spare -= sum(p.variant.size for p in chosen)
    shares = share_bytes([*pictures, *(a.variants[0].size for a in playable)], max(0, spare))[len(pictures) :]
    room = spare - sum(min(need, PICTURE_RESERVE) for need in pictures)
    for attachment, size in zip(playable, shares, strict=True):
        variant = _choose_variant(attachment, min(size, room), room)
        if variant:
            chosen.append(ChosenAttachment(attachment, variant))
            room -= variant.size
    return chosen


def _split_by_kind(candidates: Sequence[Attachment]) -> tuple[list[Attachment], list[Attachment]]:
    objects = [a for a in candidates if a.source.kind is Kind.OBJECT]
    return objects, [a for a in candidates if a.source.kind is not Kind.OBJECT]


def _choose_objects(objects: Sequence[Attachment], spare: int) -> list[ChosenAttachment]:
    chosen: list[ChosenAttachment] = []
    for attachment in objects:
        variant = attachment.variants[0]
        if variant.size <= spare - sum(p.variant.size for p in chosen):
            chosen.append(ChosenAttachment(attachment, variant))
    return chosen


def _choose_variant(attachment: Attachment, fair: int, room: int) -> Variant | None:
    """Return the best variant within the fair share; else the smallest, if there is room for it."""
    smallest = min(attachment.variants, key=lambda variant: variant.size)
    best = next((variant for variant in attachment.variants if variant.size <= fair), smallest)
    return best if best.size <= room else None


def is_left_out(change: str) -> bool:
    """Return whether this sentence on a change says that a part is left out."""
    return " is left out: " in change


def describe_changes(
    candidates: Sequence[Attachment], chosen: Sequence[ChosenAttachment], limits: Limits
) -> list[tuple[int, str]]:
    """Return (slide number, sentence) for each difference from the customer's content."""
    variants = {id(p.attachment): p.variant for p in chosen}
    sentences = ((a.slide, _describe_change(a, variants.get(id(a)), limits)) for a in candidates)
    return [(slide, sentence) for slide, sentence in sentences if sentence]


def _describe_change(attachment: Attachment, variant: Variant | None, limits: Limits) -> str | None:
    if variant is None and not attachment.variants:
        types = (
            " or ".join(dict.fromkeys(f.mime_type for f in attachment.source.variants)) or attachment.source.mime_type
        )
        return f"{attachment.description} is left out: the handset does not support {types}"
    if variant is None:
        smallest = min(variant.size for variant in attachment.variants)
        return f"{attachment.description} is left out: its {smallest:,} bytes do not fit into {limits.message_bytes:,}"
    return (
        f"{attachment.description} is sent as {variant.mime_type} of {variant.size:,} bytes" if variant.recipe else None
    )
