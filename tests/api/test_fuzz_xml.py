"""Random XML: never an HTTP 500, always an XML answer; accepted requests are stored unchanged."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from mms.api.errors import CATALOGUE
from mms.models import Message
from tests.api.documents import KEY, NUMBER
from tests.wire import SEED

fuzzed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = [
    "action", "api-key", "to", "from", "mms-id", "service-id", "operator-id", "fallback-sms-text", "custom-subject",
    "custom-text", "value", "slide", "data", "ddm-force", "ddm-message-text", "ddm-message-subject",
    "ddm-message-timeout", "device", "client-reference", "pin", "unknown",
]  # fmt: skip
ANY_CHARACTER = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
LATIN = st.characters(min_codepoint=32, max_codepoint=255, exclude_categories=["Cc", "Cf"], exclude_characters="{}\xa0")
TEXTS = st.text(ANY_CHARACTER | st.sampled_from("\t\n0123456789{}|"), max_size=200)
# Texts with a meaning in some parameter.
SPECIAL_TEXTS = st.sampled_from(
    ["", "0", "-1", "1", "3", "true", "{{pin}}", "{{none}}", "sendSavedMMS", "x" * 5001, KEY, NUMBER]
)
TAG = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)

Change = Callable[[etree._Element], None]


def post(body: bytes) -> dict[str, str]:
    reply = Client().post("/ep/v1/", body, content_type="text/xml")
    assert reply.status_code == 200
    answer = {element.tag: element.text or "" for element in etree.fromstring(reply.content)}
    assert answer["status"] == "Success" or answer["error-code"] in CATALOGUE
    return answer


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Generate a change of one element at any depth."""
    kind = draw(st.sampled_from(["remove", "repeat", "insert", "replace", "rename"]))
    index, name, text = draw(st.integers(0, 30)), draw(st.sampled_from(NAMES)), draw(TEXTS | SPECIAL_TEXTS)

    def change(root: etree._Element) -> None:
        elements = [element for element in root.iter() if element is not root]
        if not elements:
            return
        chosen = elements[index % len(elements)]
        parent = chosen.getparent()
        assert parent is not None
        if kind == "remove":
            parent.remove(chosen)
        elif kind == "repeat":
            parent.append(etree.fromstring(etree.tostring(chosen, with_tail=False)))
        elif kind == "insert":
            etree.SubElement(chosen, name).text = text
        elif kind == "replace":
            chosen.text = text
        else:
            chosen.tag = name

    return change


def assert_stored_as_sent(root: etree._Element, message: Message) -> None:
    def sent(name: str) -> str:
        return root.findtext(name, "").strip()

    assert message.number == sent("to").removeprefix("+")
    assert "{{" in sent("custom-subject") or message.subject == (sent("custom-subject") or "Spring is here")
    assert message.data == {child.tag: (child.text or "").strip() for child in root.iterfind("data/*")}
    assert message.texts == {
        str(int(custom.findtext("slide", ""))): custom.findtext("value", "").strip()
        for custom in root.iterfind("custom-text")
    }
    assert (message.ddm_subject, message.ddm_text) == (sent("ddm-message-subject"), sent("ddm-message-text"))
    assert (message.ddm_timeout, message.ddm_force) == (
        int(sent("ddm-message-timeout") or 5),
        sent("ddm-force").lower() == "true",
    )
    assert (message.fallback_text, message.client_reference) == (sent("fallback-sms-text"), sent("client-reference"))


@fuzzed
@given(st.binary() | st.binary().map(lambda inside: b"<request>" + inside + b"</request>"))
def test_random_bytes_get_a_failure(records: SimpleNamespace, body: bytes) -> None:
    assert post(body)["status"] == "Failure"


@fuzzed
@given(st.integers(0, len(SEED)), st.integers(0, len(SEED)), st.binary(max_size=10))
def test_damaged_request_is_answered(records: SimpleNamespace, start: int, end: int, inserted: bytes) -> None:
    post(SEED.encode()[:start] + inserted + SEED.encode()[end:])


@fuzzed
@given(st.lists(changes(), min_size=1, max_size=4))
def test_mutated_request_is_refused_or_stored_unchanged(records: SimpleNamespace, mutations: list[Change]) -> None:
    root = etree.fromstring(SEED)
    for change in mutations:
        change(root)
    if post(etree.tostring(root, encoding="UTF-8"))["status"] == "Success":
        assert_stored_as_sent(root, Message.objects.latest("pk"))


def plain(text: str) -> bool:
    """Return whether the text is not blank and has no merge tags."""
    return bool(text.strip()) and "{{" not in text


@fuzzed
@given(
    subject=st.text(LATIN, max_size=80),
    texts=st.dictionaries(st.sampled_from("12"), st.text(ANY_CHARACTER, max_size=300).filter(plain)),
    data=st.dictionaries(TAG, TEXTS, max_size=5),
    ddm=st.tuples(st.text(LATIN, max_size=80), TEXTS.filter(str.strip), st.integers(1, 4320), st.booleans()),
    reference=st.text(ANY_CHARACTER, max_size=200),
    encoding=st.sampled_from(["utf-8", "utf-16", "ascii"]),
)
def test_valid_request_is_stored_unchanged(
    records: SimpleNamespace,
    subject: str,
    texts: dict[str, str],
    data: dict[str, str],
    ddm: tuple[str, str, int, bool],
    reference: str,
    encoding: str,
) -> None:
    root = etree.fromstring(SEED)
    for element in list(root)[6:]:
        root.remove(element)
    parameters = {
        "custom-subject": subject,
        "client-reference": reference,
        "ddm-message-subject": ddm[0],
        "ddm-message-text": ddm[1],
        "ddm-message-timeout": str(ddm[2]),
        "ddm-force": str(ddm[3]),
    }
    for name, text in parameters.items():
        etree.SubElement(root, name).text = text
    for slide, text in texts.items():
        custom = etree.SubElement(root, "custom-text")
        etree.SubElement(custom, "value").text = text
        etree.SubElement(custom, "slide").text = slide
    values = etree.SubElement(root, "data")
    for name, text in {name.lower(): text for name, text in data.items()}.items():
        etree.SubElement(values, name).text = text
    assert post(cast(bytes, etree.tostring(root, encoding=encoding)))["status"] == "Success"
    assert_stored_as_sent(root, Message.objects.latest("pk"))
