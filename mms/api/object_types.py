"""Refusal of content that consists of files which no handset class takes, such as a PDF alone."""

from collections.abc import Iterable, Mapping, Set

from base.stale_cache import Freshness, stale_cached
from handsets.models import Profile
from mms.adaptation.attachments import type_names
from mms.adaptation.content import Kind
from mms.api.errors import Refusal
from mms.models import SlideMedium, Template


def check_stored(template: Template, texts: Mapping[str, str], freshness: Freshness) -> None:
    """Refuse stored content, with the texts of the message by slide, that no handset could show. Raises Refusal."""
    if not any(texts.values()):
        check(_media_types(freshness, template), freshness)


def check(media: Iterable[tuple[str, str]], freshness: Freshness) -> None:
    """Refuse content of these media (kind and MIME type) and no text if no profile takes any. Raises Refusal."""
    found = list(media)
    types = {mime_type for kind, mime_type in found if kind == Kind.OBJECT}
    if len(types) == 0 or any(kind != Kind.OBJECT for kind, _ in found):
        return
    taken = _taken_types(freshness)
    if taken.isdisjoint(name for mime_type in types for name in type_names(mime_type)):
        names = " or ".join(sorted(types))
        raise Refusal("E629", f"The content is {names} alone, which no handset profile takes; add a text or a picture")


@stale_cached
def _media_types(template: Template) -> list[tuple[str, str]]:
    rows = SlideMedium.objects.filter(slide__template=template)
    return list(rows.values_list("medium__kind", "medium__mime_type"))


@stale_cached
def _taken_types() -> Set[str]:
    given = Profile.objects.exclude(mime_types=None).values_list("mime_types", flat=True)
    return {mime_type for types in given for mime_type in types or ()}
