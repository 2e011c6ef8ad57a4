import pytest

from mms.adaptation.texts import MissingValue, encode, find_malformed_tag, merge, subject_problem, with_crlf

DATA = {"FirstName": "Bill", "pin": "13579", "blank": "", "tag": "{{pin}}", "naïve": "ja", "First  name": "Bill T."}


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("no tags", "no tags"),
        ("Dear {{firstname}}, {{PIN}}", "Dear Bill, 13579"),
        ("{{ firstname }}", "Bill"),
        ("{{firstname|friend}}", "Bill"),
        ("{{lastname|friend}}", "friend"),
        ("{{lastname|dear friend}}!", "dear friend!"),
        ("{{lastname|}}!", "!"),
        ("{{blank}}!", "!"),
        ("{{blank|none}}!", "none!"),
        ("{{tag}}", "{{pin}}"),
        ("{{NAÏVE}}", "ja"),
        ("{{}} {pin}", "{{}} {pin}"),
        ("{{first  name}}, {{ First  Name |x}}, {{other name|dear friend}}", "Bill T., Bill T., dear friend"),
        ("{{{pin}}}", "{13579}"),
        ("{{pin}}{{pin}}", "1357913579"),
    ],
)
def test_merge_tags_are_filled(text: str, merged: str) -> None:
    assert merge(text, DATA) == merged


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{a}} {b} {{a b|c}} {{{a}}} {{{a}}{ }} {", ""),
        ("{{a}}{{}}", "{{}}"),
        ("a {{ }} b", "{{ }}"),
        ("{{first{{name}}", "{{first"),
        ("Dear {{name} and {{other}}", "{{name}"),
        ("{{|default}}", "{{|default}}"),
        ("{{" + "x" * 5000, "{{" + "x" * 30),
    ],
)
def test_malformed_merge_tag_is_found(text: str, found: str) -> None:
    assert find_malformed_tag(text) == found


def test_missing_value_names_the_tag() -> None:
    with pytest.raises(MissingValue, match=r"no value for \{\{LastName\}\}") as missing:
        merge("{{pin}} {{LastName}}", DATA)
    assert missing.value.name == "LastName"


@pytest.mark.parametrize(
    ("text", "lines"),
    [("a\nb", "a\r\nb"), ("a\r\nb", "a\r\nb"), ("a\rb", "a\r\nb"), ("\n\r\n\n", "\r\n\r\n\r\n"), ("a", "a")],
)
def test_lines_end_in_crlf(text: str, lines: str) -> None:
    assert with_crlf(text) == lines


@pytest.mark.parametrize(
    ("text", "charset", "data"),
    [
        ("naïve 😀", "utf-8", "naïve 😀".encode()),
        ("naïve", "iso-8859-1", b"na\xefve"),
        ("nai\u0308ve €", "iso-8859-1", b"na\xefve EUR"),
        ("naïve €5 “q” – …", "us-ascii", b'naive EUR5 "q" - ...'),
        ("Straße Æsir Łódź", "us-ascii", b"Strasse AEsir Lodz"),
        ("½ ﬁne №1 ™", "us-ascii", b"1/2 fine No1 TM"),
        ("a\u200bb\u00a0c", "us-ascii", b"ab c"),
        ("👩\u200d🚀 ❤\ufe0f", "us-ascii", b"?? ?"),
        ("日本", "iso-8859-1", b"??"),
        ("日本", "utf-16-be", b"\x65\xe5\x67\x2c"),
        ("a\ud800b", "utf-8", b"a?b"),
        ("?", "us-ascii", b"?"),
    ],
)
def test_missing_characters_become_the_closest_match(text: str, charset: str, data: bytes) -> None:
    assert encode(text, charset) == data


def test_unknown_charset_raises_lookup_error() -> None:
    with pytest.raises(LookupError, match="klingon"):
        encode("text", "klingon")


@pytest.mark.parametrize("subject", ["Déjà vu: 50 € {ok} [~]", "ΔΦΓΛΩΠΨΣΘΞ", "x" * 80, ""])
def test_gsm_and_latin_1_subjects_are_accepted(subject: str) -> None:
    assert subject_problem(subject) is None


def test_subject_over_80_characters_is_refused() -> None:
    assert subject_problem("é" * 81) == "the subject has 81 characters; at most 80 are allowed"


@pytest.mark.parametrize(
    ("subject", "character"),
    [
        ("Hi 😀 Привет", '"😀" (U+1F600 GRINNING FACE)'),
        ("Привет", '"П" (U+041F CYRILLIC CAPITAL LETTER PE)'),
        ("it’s", '"’" (U+2019 RIGHT SINGLE QUOTATION MARK)'),
        ("a\nb", "(U+000A control character)"),
    ],
)
def test_first_forbidden_character_of_a_subject_is_named(subject: str, character: str) -> None:
    assert subject_problem(subject) == f"the subject contains {character}; only plain GSM or Latin text is allowed"
