"""Audio, video and objects: which file of each goes out, if any.

None is made for one message: an audio or video goes in one of the forms that it was encoded in, an object as it came.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mms.adaptation.budget import share
from mms.adaptation.content import Content, Form, Kind, SlideContent, Source
from mms.adaptation.limits import Limits

# Originals that a handset which takes their type can play: the type says how they are coded. What is in an MP4 or a
# 3GP file, only its encoded forms promise.
SELF_DESCRIBING = frozenset({"audio/amr", "audio/mpeg"})
# Other names of types: a handset may list either.
SYNONYMS = {"text/x-vcard": "text/vcard", "text/calendar": "text/x-vcalendar", "audio/mpeg": "audio/mp3"}
# Bytes that each picture keeps whatever else wants them.
PICTURE_KEEPS = 20_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """An audio, video or object of one slide (counted from 1), and the files that its handset takes, best first."""

    slide: int
    source: Source
    forms: tuple[Form, ...]

    @property
    def words(self) -> str:
        """What it is, in a sentence."""
        return f"the {self.source.kind}" if self.source.kind is not Kind.OBJECT else f"the {self.source.mime_type} file"


@dataclass(frozen=True, slots=True)
class Passed:
    """An attachment that goes out, in this form."""

    attachment: Attachment
    form: Form


def attachments(content: Content, limits: Limits) -> list[Attachment]:
    """Every audio, video and object of the content, in order."""
    return [
        Attachment(number, source, tuple(_takes(source, limits)))
        for number, slide in enumerate(content.slides, 1)
        for source in others(slide)
    ]


def others(slide: SlideContent) -> list[Source]:
    """The slide's media that are no pictures."""
    return [medium for medium in slide.media if medium.kind is not Kind.IMAGE]


def _takes(source: Source, limits: Limits) -> Iterator[Form]:
    original = Form("", source.mime_type, source.size)
    own = (original,) if source.kind is Kind.OBJECT or source.mime_type in SELF_DESCRIBING else ()
    for form in own + source.forms:
        name = next((name for name in _names(form.mime_type) if name in limits.mime_types), None)
        if name:
            yield replace(form, mime_type=name)


def _names(mime_type: str) -> tuple[str, ...]:
    return tuple(filter(None, (mime_type, SYNONYMS.get(mime_type))))


def chosen(candidates: Sequence[Attachment], pictures: Sequence[int], spare: int) -> list[Passed]:
    """Those that go out within `spare` bytes, beside pictures that need so many bytes each.

    Objects come first, as they cannot be made smaller. Audio and video take the best form within their share; where
    none is that small, their smallest, if the pictures keep enough to be seen.
    """
    objects, recordings = _split([a for a in candidates if a.forms])
    passed = _fitting(objects, spare)
    spare -= sum(p.form.size for p in passed)
    shares = share([*pictures, *(a.forms[0].size for a in recordings)], max(0, spare))[len(pictures) :]
    room = spare - sum(min(need, PICTURE_KEEPS) for need in pictures)
    for attachment, size in zip(recordings, shares, strict=True):
        form = _form(attachment, min(size, room), room)
        if form:
            passed.append(Passed(attachment, form))
            room -= form.size
    return passed


def _split(candidates: Sequence[Attachment]) -> tuple[list[Attachment], list[Attachment]]:
    objects = [a for a in candidates if a.source.kind is Kind.OBJECT]
    return objects, [a for a in candidates if a.source.kind is not Kind.OBJECT]


def _fitting(objects: Sequence[Attachment], spare: int) -> list[Passed]:
    passed: list[Passed] = []
    for attachment in objects:
        form = attachment.forms[0]
        if form.size <= spare - sum(p.form.size for p in passed):
            passed.append(Passed(attachment, form))
    return passed


def _form(attachment: Attachment, fair: int, room: int) -> Form | None:
    """The best form within a fair share; else the smallest, if there is room for it."""
    smallest = min(attachment.forms, key=lambda form: form.size)
    best = next((form for form in attachment.forms if form.size <= fair), smallest)
    return best if best.size <= room else None


def changes(candidates: Sequence[Attachment], passed: Sequence[Passed], limits: Limits) -> list[tuple[int, str]]:
    """What differs from the customer's content, in sentences, with the numbers of their slides."""
    forms = {id(p.attachment): p.form for p in passed}
    told = ((a.slide, _change(a, forms.get(id(a)), limits)) for a in candidates)
    return [(slide, sentence) for slide, sentence in told if sentence]


def _change(attachment: Attachment, form: Form | None, limits: Limits) -> str | None:
    if form is None and not attachment.forms:
        types = " or ".join(dict.fromkeys(f.mime_type for f in attachment.source.forms)) or attachment.source.mime_type
        return f"{attachment.words} is left out: the handset does not take {types}"
    if form is None:
        smallest = min(form.size for form in attachment.forms)
        return f"{attachment.words} is left out: its {smallest:,} bytes do not fit into {limits.message_bytes:,}"
    return f"{attachment.words} goes out as {form.mime_type} of {form.size:,} bytes" if form.recipe else None
