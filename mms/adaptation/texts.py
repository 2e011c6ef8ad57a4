"""Text handling: merge tags, line ends, character sets, and the characters allowed in a subject."""

import re
import unicodedata
from collections.abc import Mapping

# Names may contain spaces, as keys in JSON and query strings do.
MERGE_TAG = re.compile(r"\{\{\s*(?P<name>[^{}|\s](?:[^{}|]*[^{}|\s])?)\s*(?:\|(?P<default>[^{}]*))?\}\}")
# Matched after valid tags are replaced by NUL, which no stored text contains.
MALFORMED_TAG = re.compile(r"\{\{[^{}\0]{0,30}\}{0,2}")
LINE_END = re.compile(r"\r\n|\r|\n")

SUBJECT_MAX = 80
# 3GPP TS 23.038, 6.2.1 and 6.2.1.1: the characters of the GSM alphabet and its extension that are not in Latin-1.
GSM_NOT_LATIN_1 = frozenset("ΔΦΓΛΩΠΨΣΘΞ€")

# Replacements for characters that a small character set lacks and that Unicode does not decompose.
SUBSTITUTES = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u2039\u203a", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u2022\u00b7\u2023", "*"),
    "\u2044": "/", "\u00d7": "x", "\u00f7": "/", "\u2190": "<-", "\u2192": "->", "\u0131": "i",
    "€": "EUR", "£": "GBP", "¥": "JPY", "©": "(c)", "®": "(r)", "¡": "!", "¿": "?",
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th",
}  # fmt: skip


class MissingValue(LookupError):
    """A merge tag has neither a value nor a default; `name` is the name of the tag."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no value for {{{{{name}}}}}")
        self.name = name


def merge(text: str, data: Mapping[str, str]) -> str:
    """Fill `{{name}}` and `{{name|default}}` from `data`; names are case-insensitive.

    The default also replaces an empty value. Raises MissingValue for a tag with neither value nor default.
    """
    if "{{" not in text:
        return text
    values = {name.casefold(): value for name, value in data.items()}

    def value(tag: re.Match[str]) -> str:
        found, default = values.get(tag["name"].casefold()), tag["default"]
        if found is None and default is None:
            raise MissingValue(tag["name"])
        return found or default or ""

    return MERGE_TAG.sub(value, text)


def find_malformed_tag(text: str) -> str:
    """Return the first text that starts like a merge tag but is none, or "". The recipient would see it literally."""
    found = MALFORMED_TAG.search(MERGE_TAG.sub("\0", text))
    return found[0] if found else ""


def fill_with_samples(text: str) -> str:
    """Return a sample of the text: each merge tag is filled with its default, else with its name."""
    return MERGE_TAG.sub(lambda tag: tag["name"] if tag["default"] is None else tag["default"], text)


def fill_with_defaults(text: str) -> str:
    """Return the text with merge tags filled with their defaults; tags without a default become empty."""
    return MERGE_TAG.sub(lambda tag: tag["default"] or "", text)


def with_crlf(text: str) -> str:
    """Return the text with CRLF line ends, as RFC 2046, 4.1.1 requires of text parts."""
    return LINE_END.sub("\r\n", text)


def encode(text: str, charset: str) -> bytes:
    """Encode the text in the handset's character set; missing characters become the closest match, else `?`.

    Raises LookupError for a character set that Python does not know.
    """
    try:
        return text.encode(charset)
    except UnicodeEncodeError:
        composed = unicodedata.normalize("NFC", text)
        return "".join(_replacement(character, charset) for character in composed).encode(charset)


def _replacement(character: str, charset: str) -> str:
    for candidate in (character, SUBSTITUTES.get(character), _decomposed(character)):
        if candidate is not None and _is_encodable(candidate, charset):
            return candidate
    return "?"


def _decomposed(character: str) -> str:
    """Return the character without accents and joiners, ligatures split; empty for a lone accent."""
    parts = unicodedata.normalize("NFKD", character)
    return "".join(SUBSTITUTES.get(p, p) for p in parts if unicodedata.category(p) not in {"Mn", "Me", "Cf"})


def _is_encodable(text: str, charset: str) -> bool:
    try:
        text.encode(charset)
    except UnicodeEncodeError:
        return False
    return True


def subject_problem(subject: str) -> str | None:
    """Return why MMSCs would refuse the subject, or None if they accept it.

    They accept up to 80 characters of Latin-1 and the GSM alphabet (3GPP TS 23.038, 6.2.1).
    """
    if len(subject) > SUBJECT_MAX:
        return f"the subject has {len(subject)} characters; at most {SUBJECT_MAX} are allowed"
    if subject.isascii() and subject.isprintable():
        return None
    forbidden = next((character for character in subject if not _is_allowed_in_subject(character)), None)
    if forbidden is None:
        return None
    return f"the subject contains {describe_character(forbidden)}; only plain GSM or Latin text is allowed"


def describe_character(character: str) -> str:
    """Return the character for an error text: itself if printable, its code point and its Unicode name."""
    name = unicodedata.name(character, "control character")
    shown = f'"{character}" ' if character.isprintable() else ""
    return f"{shown}(U+{ord(character):04X} {name})"


def _is_allowed_in_subject(character: str) -> bool:
    return character in GSM_NOT_LATIN_1 or (ord(character) < 256 and character.isprintable())
