"""saveMMS: fetches and stores content, and answers with its mms-id."""

from billing.models import Account
from mms import content, outbound
from mms.adaptation import images
from mms.api import fields
from mms.api.answers import Fields, success
from mms.api.errors import Refusal
from mms.api.nodes import Node, Unclear
from mms.content import NewMedium, NewSlide

SLIDES_MAX = 8
DURATION_MAX = 60  # seconds
NAME_MAX = 200
URL_MAX = 2000
OTHER_MEDIA = ("audio", "video", "vcard", "ical", "pdf", "passbook")
# What servers declare of a file that they do not know the type of.
NO_TYPE = ("", "application/octet-stream", "binary/octet-stream")


def save_mms(request: Node, account: Account) -> Fields:
    """Stores the content and answers with its mms-id. Raises Refusal."""
    name = _name(request)
    subject = _subject(request)
    wanted = request.all("slide")
    if not wanted:
        raise Refusal("E312", "There are no slides")
    if len(wanted) > SLIDES_MAX:
        raise Refusal("E225", f"There are {len(wanted)} slides; {SLIDES_MAX} are allowed")
    checked = [_checked(slide, position) for position, slide in enumerate(wanted, 1)]
    slides = [_fetched(*slide, account) for slide in checked]
    template = content.save(account, name, subject, slides)
    return success(mms_id=str(template.pk), status_details="MMS content stored")


def _name(request: Node) -> str:
    name = fields.once(request, "name", "E311")
    if not 1 <= len(name) <= NAME_MAX:
        raise Refusal("E311", f"{request.called('name')} must have 1 to {NAME_MAX} characters")
    return name


def _subject(request: Node) -> str:
    subject = fields.once(request, "subject", "E314")
    if not subject:
        raise Refusal("E314", f"{request.called('subject')} is missing")
    # Its merge tags are filled when it is sent, and it is checked again then.
    fields.checked_subject(subject, request.called("subject"))
    return subject


def _checked(slide: Node, position: int) -> tuple[int, int, str, str]:
    """Position, duration, text and image URL of a slide, checked before anything is fetched."""
    try:
        text, image = slide.value("message_text"), slide.one("image")
        url = image.value("url") if image else ""
        duration = slide.value("duration")
    except Unclear as problem:
        raise Refusal("E100", f"slide {position}: {problem}") from None
    other = next((name for name in OTHER_MEDIA if slide.all(name)), None)
    if other:
        raise Refusal(
            "E629", f"slide {position}: {slide.called(other)} is not accepted; a slide may have text and an image"
        )
    if not text and not image:
        raise Refusal("E313", f"slide {position} is empty")
    if len(text) > fields.TEXT_MAX:
        raise Refusal("E334", f"slide {position}: the text has {len(text)} characters; 5000 are allowed")
    if image and not 1 <= len(url) <= URL_MAX:
        raise Refusal(
            "E351", f"slide {position}: the image needs a {slide.called('url')} of at most {URL_MAX} characters"
        )
    return position, _duration(slide, duration, position), text, url


def _duration(slide: Node, duration: str, position: int) -> int:
    """Whole seconds."""
    if not duration:
        return slide.dialect.duration
    seconds = fields.whole(duration, 1, DURATION_MAX)
    if seconds is None:
        wanted = f"1 to {DURATION_MAX} whole seconds"
        raise Refusal("E230", f"slide {position}: {slide.called('duration')} must be {wanted}")
    return seconds


def _fetched(position: int, duration: int, text: str, url: str, account: Account) -> NewSlide:
    media = (_image(position, url, account),) if url else ()
    return NewSlide(duration, text, media)


def _image(position: int, url: str, account: Account) -> NewMedium:
    try:
        fetched = outbound.fetch(url, account.image_bytes_max)
        source = images.inspect(fetched.data)
    except outbound.TooBig as problem:
        raise Refusal("E331", f"slide {position}: the image is too big: {problem}") from None
    except outbound.FetchFailed as problem:
        raise Refusal("E351", f"slide {position}: the image could not be fetched: {problem}") from None
    except images.NotAnImage as problem:
        raise Refusal("E629", f"slide {position}: {problem}") from None
    except images.ImageError as problem:
        raise Refusal("E341", f"slide {position}: {problem}") from None
    declared = fetched.content_type.partition(";")[0].strip().lower()
    if declared not in NO_TYPE and not declared.startswith("image/"):
        raise Refusal("E629", f"slide {position}: the file is {source.mime_type}, its server calls it {declared[:40]}")
    return NewMedium(source, fetched.data, url)
