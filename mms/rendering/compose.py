"""From a message to the parts of its MMS: its content, the limits of its handset, the plan, the renditions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

from django.db.models import prefetch_related_objects

from handsets import profiles
from mms.adaptation import texts
from mms.adaptation.attachments import Passed
from mms.adaptation.content import Area, Content, Form, Kind, SlideContent, Source
from mms.adaptation.images import DoesNotFit
from mms.adaptation.lettering import LetteringError
from mms.adaptation.limits import Limits, tightest
from mms.adaptation.plan import CannotFit, Keep, Plan, PlannedSlide, Resize, plan
from mms.adaptation.smil import SmilSlide, media_name, smil, text_name
from mms.models import Medium, Message, Slide
from mms.protocol.submit import SMIL, Part
from mms.rendering import renditions
from mms.rendering.renditions import Shelf

# All that a message's content consists of.
CONTENT = ("template__slides__media__renditions", "template__slides__areas")


@dataclass(frozen=True, slots=True)
class Composed:
    """An MMS ready to be submitted: its parts, what differs from the customer's content, its size in bytes.

    `renditions` is how many of its pictures were made anew, for this message or for an earlier one.
    """

    parts: tuple[Part, ...]
    changes: tuple[str, ...]
    renditions: int

    @property
    def size(self) -> int:
        return sum(len(part.data) for part in self.parts)


class Composer:
    """Composes messages that are adapted together: what they share is read once, and forgotten with the composer."""

    def __init__(self, messages: Sequence[Message]) -> None:
        prefetch_related_objects(messages, *CONTENT)
        self._limits: dict[tuple[int | None, int], Limits] = {}
        self._made: dict[tuple[Content, Limits], Composed | CannotFit] = {}
        self._shelf = Shelf()

    def compose(self, message: Message) -> Composed | CannotFit:
        """Adapts the message to its handset (to the generic profile where it has none) and its carrier."""
        slides = list(message.template.slides.all())
        try:
            content, limits = _content(message, slides), self._limits_of(message)
            if any(slide.areas for slide in content.slides):  # a picture of its own, which nobody else needs
                return self._make(content, limits, slides)
            if (content, limits) not in self._made:
                self._made[content, limits] = self._make(content, limits, slides)
            return self._made[content, limits]
        except (DoesNotFit, LetteringError, texts.MissingValue) as problem:  # areas may change after the accept
            return CannotFit(str(problem))

    def _make(self, content: Content, limits: Limits, slides: Sequence[Slide]) -> Composed | CannotFit:
        result = plan(content, limits)
        if isinstance(result, CannotFit):
            return result
        media = {medium.sha256: medium for slide in slides for medium in slide.media.all()}
        return Composed(_parts(result, media, self._shelf), result.changes, _renditions(result))

    def _limits_of(self, message: Message) -> Limits:
        key = message.handset.profile_id if message.handset else None, message.carrier_id
        if key not in self._limits:
            self._limits[key] = limits_of(message)
        return self._limits[key]


def compose(message: Message) -> Composed | CannotFit:
    """Adapts one message alone."""
    return Composer([message]).compose(message)


def slides_of(message: Message) -> list[Slide]:
    """The slides with all that belongs to them, read unless they were before."""
    prefetch_related_objects([message], *CONTENT)
    return list(message.template.slides.all())


def planned(message: Message, slides: list[Slide]) -> Plan | CannotFit:
    """How the message is made to fit its handset and its carrier; nothing is made yet."""
    return plan(_content(message, slides), limits_of(message))


def limits_of(message: Message) -> Limits:
    """What this message may be: its handset's profile, within what its carrier takes."""
    attributes = profiles.attributes(message.handset)
    profile = Limits(**{field.name: getattr(attributes, field.name) for field in fields(Limits)})
    return tightest(profile, message.carrier.message_bytes)


def _content(message: Message, slides: list[Slide]) -> Content:
    return Content(message.subject, tuple(_slide(message, slide) for slide in slides))


def _slide(message: Message, slide: Slide) -> SlideContent:
    text = message.texts.get(str(slide.position), slide.text)
    sources = tuple(source(medium) for medium in slide.media.all())
    return SlideContent(slide.duration, texts.merge(text, message.data), sources, tuple(_areas(message, slide)))


def _areas(message: Message, slide: Slide) -> Iterator[Area]:
    """The texts that are drawn onto the slide's picture; those that come out empty change nothing."""
    for row in slide.areas.all():
        area = row.area()
        text = texts.merge(area.text, message.data)
        if text.strip():
            yield replace(area, text=text)


def source(medium: Medium) -> Source:
    values = {field.name: getattr(medium, field.name) for field in fields(Source) if field.name != "forms"}
    return Source(**{**values, "kind": Kind(medium.kind)}, forms=_forms(medium))


def _forms(medium: Medium) -> tuple[Form, ...]:
    """What an audio or video was encoded in, best first: in that order they were stored."""
    if medium.kind not in {Medium.Kind.AUDIO, Medium.Kind.VIDEO}:
        return ()
    made = sorted(medium.renditions.all(), key=lambda form: form.pk)
    return tuple(Form(form.recipe, form.mime_type, form.size) for form in made)


def _renditions(planned: Plan) -> int:
    return sum(isinstance(image, Resize) for slide in planned.slides for image in slide.images)


def _parts(planned: Plan, media: dict[str, Medium], shelf: Shelf) -> tuple[Part, ...]:
    parts: list[Part] = []
    shown: list[SmilSlide] = []
    for number, slide in enumerate(planned.slides, 1):
        image = _image_part(number, slide, media, shelf)
        text = _text_part(number, slide, planned.limits.charset)
        passed = {p.attachment.source.kind: _passed_part(number, p, media, shelf) for p in slide.passed}
        parts += [part for part in (image, *passed.values(), text) if part]
        audio, video = passed.get(Kind.AUDIO), passed.get(Kind.VIDEO)
        shown.append(SmilSlide(slide.duration, _name(image), _name(text), _name(audio), _name(video)))
    if planned.limits.smil:
        document = smil(tuple(shown), planned.limits.screen_width, planned.limits.screen_height)
        parts.insert(0, Part("smil", "message.smil", SMIL, document))
    return tuple(parts)


def _image_part(number: int, slide: PlannedSlide, media: dict[str, Medium], shelf: Shelf) -> Part | None:
    """The slide's picture; a slide has one at most."""
    for image in slide.images:
        mime_type, data = _bytes(image, media[image.source.sha256], shelf)
        name = media_name(number, mime_type)
        return Part(name, name, mime_type, data)
    return None


def _passed_part(number: int, passed: Passed, media: dict[str, Medium], shelf: Shelf) -> Part:
    """An audio, a video or an object. Objects stand beside the presentation: SMIL of MMS shows none."""
    medium, form = media[passed.attachment.source.sha256], passed.form
    name = media_name(number, form.mime_type)
    file = next(made for made in medium.renditions.all() if made.recipe == form.recipe) if form.recipe else medium
    return Part(name, name, form.mime_type, shelf.stored(file))


def _name(part: Part | None) -> str | None:
    return part.location if part else None


def _bytes(image: Keep | Resize, medium: Medium, shelf: Shelf) -> tuple[str, bytes]:
    if isinstance(image, Keep):
        return medium.mime_type, shelf.stored(medium)
    if image.areas:
        picture = renditions.personalised(medium, image)
        return picture.mime_type, picture.data
    made = shelf.rendition(medium, image.recipe)
    return made.mime_type, shelf.stored(made)


def _text_part(number: int, slide: PlannedSlide, charset: str) -> Part | None:
    if not slide.text:
        return None
    name = text_name(number)
    data = texts.encode(texts.crlf(slide.text), charset)
    return Part(name, name, "text/plain", data, charset)
