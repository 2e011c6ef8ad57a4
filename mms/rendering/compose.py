"""Composition of the parts of a message's MMS: read its content and limits, plan, and render."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from django.db.models import prefetch_related_objects

from handsets import profiles
from mms.adaptation import texts
from mms.adaptation.attachments import ChosenAttachment, is_left_out
from mms.adaptation.content import Area, Content, Kind, SlideContent, Source, Variant
from mms.adaptation.images import DoesNotFit
from mms.adaptation.limits import Limits, restrict
from mms.adaptation.plan import CannotFit, Keep, Plan, PlannedSlide, Resize, plan
from mms.adaptation.smil import SmilSlide, build_smil, media_location, text_location
from mms.adaptation.text_drawing import TextDrawingError
from mms.models import Medium, Message, Slide
from mms.protocol.submit import SMIL, Part
from mms.rendering import renditions
from mms.rendering.renditions import RenditionCache

# The relations to prefetch for a message's content.
CONTENT_RELATIONS = ("template__slides__media__renditions", "template__slides__areas")


@dataclass(frozen=True, slots=True)
class ComposedMessage:
    """An MMS ready to submit: its parts, and sentences on the differences from the customer's content.

    `renditions` counts its re-encoded pictures, whether made for this message or taken from the cache.
    """

    parts: tuple[Part, ...]
    changes: tuple[str, ...]
    renditions: int

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(filter(is_left_out, self.changes))

    @property
    def size(self) -> int:
        return sum(len(part.data) for part in self.parts)


class Composer:
    """Composes a batch of messages; content, limits and files that they share are read once per composer."""

    def __init__(self, messages: Sequence[Message]) -> None:
        prefetch_related_objects(messages, *CONTENT_RELATIONS)
        self._limits: dict[tuple[int | None, int], Limits] = {}
        self._composed: dict[tuple[Content, Limits], ComposedMessage | CannotFit] = {}
        self._cache = RenditionCache()

    def compose(self, message: Message) -> ComposedMessage | CannotFit:
        """Adapt the message to its carrier and its handset; without a handset, to the generic profile."""
        slides = list(message.template.slides.all())
        try:
            content, limits = _content(message, slides), self._limits_of(message)
            if any(slide.areas for slide in content.slides):  # personal pictures are not shared
                return self._make(content, limits, slides)
            if (content, limits) not in self._composed:
                self._composed[content, limits] = self._make(content, limits, slides)
            return self._composed[content, limits]
        except (
            DoesNotFit,
            TextDrawingError,
            texts.MissingValue,
        ) as problem:  # text areas may change after the message was accepted
            return CannotFit(str(problem))

    def _make(self, content: Content, limits: Limits, slides: Sequence[Slide]) -> ComposedMessage | CannotFit:
        result = plan(content, limits)
        if isinstance(result, CannotFit):
            return result
        media = {medium.sha256: medium for slide in slides for medium in slide.media.all()}
        return ComposedMessage(_parts(result, media, self._cache), result.changes, _count_renditions(result))

    def _limits_of(self, message: Message) -> Limits:
        key = message.handset.profile_id if message.handset else None, message.carrier_id
        if key not in self._limits:
            self._limits[key] = message_limits(message)
        return self._limits[key]


def compose(message: Message) -> ComposedMessage | CannotFit:
    """Adapt a single message."""
    return Composer([message]).compose(message)


def load_slides(message: Message) -> list[Slide]:
    """Return the message's slides with their media and text areas prefetched."""
    prefetch_related_objects([message], *CONTENT_RELATIONS)
    return list(message.template.slides.all())


def plan_message(message: Message, slides: list[Slide]) -> Plan | CannotFit:
    """Return the plan for the message without rendering anything."""
    return plan(_content(message, slides), message_limits(message))


def message_limits(message: Message) -> Limits:
    """Return the message's limits: those of its handset profile, tightened by its carrier's."""
    attributes = profiles.attributes(message.handset)
    profile = Limits(**{field.name: getattr(attributes, field.name) for field in fields(Limits)})
    return restrict(profile, message.carrier.message_bytes)


def _content(message: Message, slides: list[Slide]) -> Content:
    return Content(message.subject, tuple(_slide(message, slide) for slide in slides))


def _slide(message: Message, slide: Slide) -> SlideContent:
    text = message.texts.get(str(slide.position), slide.text)
    sources = tuple(source_of(medium) for medium in slide.media.all())
    return SlideContent(slide.duration, texts.merge(text, message.data), sources, tuple(_areas(message, slide)))


def _areas(message: Message, slide: Slide) -> Iterator[Area]:
    """Yield the slide's text areas with merge tags filled, without empty ones."""
    for row in slide.areas.all():
        area = row.area()
        text = texts.merge(area.text, message.data)
        if text.strip():
            yield replace(area, text=text)


def source_of(medium: Medium) -> Source:
    """Return the stored medium as a source for planning."""
    values = {field.name: getattr(medium, field.name) for field in fields(Source) if field.name != "variants"}
    coding = None if medium.coding is None else frozenset(medium.coding)
    return Source(**{**values, "kind": Kind(medium.kind), "coding": coding}, variants=_variants(medium))


def _variants(medium: Medium) -> tuple[Variant, ...]:
    """Return the variants of an audio or video, best first, which is the order in which they were stored."""
    if medium.kind not in {Medium.Kind.AUDIO, Medium.Kind.VIDEO}:
        return ()
    stored = sorted(medium.renditions.all(), key=lambda rendition: rendition.pk)
    return tuple(Variant(variant.recipe, variant.mime_type, variant.size) for variant in stored)


def _count_renditions(plan: Plan) -> int:
    return sum(isinstance(image, Resize) for slide in plan.slides for image in slide.images)


def _parts(plan: Plan, media: dict[str, Medium], cache: RenditionCache) -> tuple[Part, ...]:
    parts: list[Part] = []
    shown: list[SmilSlide] = []
    for number, slide in enumerate(plan.slides, 1):
        image = _image_part(number, slide, media, cache)
        text = _text_part(number, slide, plan.limits.charset)
        attachments = {p.attachment.source.kind: _attachment_part(number, p, media, cache) for p in slide.attachments}
        parts += [part for part in (image, *attachments.values(), text) if part]
        audio, video = attachments.get(Kind.AUDIO), attachments.get(Kind.VIDEO)
        shown.append(SmilSlide(slide.duration, _name(image), _name(text), _name(audio), _name(video)))
    if plan.limits.smil:
        document = build_smil(tuple(shown), plan.limits.screen_width, plan.limits.screen_height)
        parts.insert(0, Part("smil", "message.smil", SMIL, document))
    return tuple(parts)


def _image_part(number: int, slide: PlannedSlide, media: dict[str, Medium], cache: RenditionCache) -> Part | None:
    """Return the part of the slide's picture, if any; a slide has at most one."""
    for image in slide.images:
        mime_type, data = _image_bytes(image, media[image.source.sha256], cache)
        name = media_location(number, mime_type)
        return Part(name, name, mime_type, data)
    return None


def _attachment_part(number: int, chosen: ChosenAttachment, media: dict[str, Medium], cache: RenditionCache) -> Part:
    """Return the part of an audio, video or object. Objects are not in the presentation: MMS SMIL has none."""
    medium, variant = media[chosen.attachment.source.sha256], chosen.variant
    name = media_location(number, variant.mime_type)
    file = next(row for row in medium.renditions.all() if row.recipe == variant.recipe) if variant.recipe else medium
    return Part(name, name, variant.mime_type, cache.read_file(file))


def _name(part: Part | None) -> str | None:
    return part.location if part else None


def _image_bytes(image: Keep | Resize, medium: Medium, cache: RenditionCache) -> tuple[str, bytes]:
    if isinstance(image, Keep):
        return medium.mime_type, cache.read_file(medium)
    if image.areas:
        picture = renditions.render_personal(medium, image)
        return picture.mime_type, picture.data
    rendition = cache.get_or_create_rendition(medium, image.recipe)
    return rendition.mime_type, cache.read_file(rendition)


def _text_part(number: int, slide: PlannedSlide, charset: str) -> Part | None:
    if not slide.text:
        return None
    name = text_location(number)
    data = texts.encode(texts.with_crlf(slide.text), charset)
    return Part(name, name, "text/plain", data, charset)
