"""Content of any kind: never an HTTP 500, refused by the rules alone, and stored as it was sent."""

import hashlib
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mms.adaptation.content import Align, Area, Font, VerticalAlign
from mms.api.dialects import SINCH_JSON
from mms.api.errors import CATALOGUE
from mms.models import Slide, Template
from tests.api.dialect_requests import post_json
from tests.api.sockets import listening, read_headers
from tests.scripted import Scripted
from tests.wire import photograph

fuzzed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# By the element that asks for it, in the order in which they are fetched. Audio and video are told by their signatures.
FILES = {
    "image": photograph(64, 48),
    "audio": b"#!AMR\n" + bytes(50),
    "video": b"\x00\x00\x01\xba" + bytes(50),
    "contact": b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD\r\n",
    "calendar": b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    "pdf": b"%PDF-1.4\n%%EOF\n",
}
OBJECTS = {"contact", "calendar", "pdf"}
TOGETHER = [[], ["image"], ["audio"], ["audio", "image"], ["video"], ["contact"], ["calendar"], ["pdf"]]
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), max_size=60
)
AREAS = st.builds(
    Area,
    text=st.sampled_from(["a", "{{name}}", "{{name|a}} a"]),
    left=st.integers(0, 34) | st.integers(0, 36),
    top=st.integers(0, 28),
    width=st.integers(15, 30),
    height=st.integers(10, 20),
    font_size=st.integers(6, 8),
    font=st.sampled_from(Font),
    color=st.from_regex("#[0-9A-Fa-f]{6}", fullmatch=True),
    align=st.sampled_from(Align),
    vertical_align=st.sampled_from(VerticalAlign),
)


@dataclass(frozen=True)
class Sent:
    """A slide that asks for files by the names of their elements; `found` is what the address of the last one has."""

    text: str
    names: Sequence[str]
    found: str
    duration: int | None
    areas: Sequence[Area]

    def files(self) -> list[tuple[str, str]]:
        """Element and what its address has, in the order in which they are fetched."""
        pairs = [(name, self.found if name == self.names[-1] else name) for name in self.names]
        return sorted(pairs, key=lambda pair: list(FILES).index(pair[0]))

    def json(self, url: str) -> dict[str, Any]:
        media: dict[str, list[dict[str, Any]]] = {}
        for name, found in self.files():
            media.setdefault(name, []).append({"url": f"{url}/{found}"})
        if self.areas and "image" in media:
            media["image"][0]["text-areas"] = [dashed(asdict(area)) for area in self.areas]
        return {"message-text": self.text, "duration": self.duration, **media}

    def drawn(self) -> list[Area]:
        return list(self.areas) if "image" in self.names else []


@st.composite
def slides(draw: st.DrawFn) -> Sent:
    """Mostly such that are taken: each rule is broken by one in so many."""

    def rare() -> bool:
        return draw(st.integers(0, 15)) == 9

    names = draw(st.lists(st.sampled_from(list(FILES)), max_size=2) if rare() else st.sampled_from(TOGETHER))
    return Sent(
        text="" if rare() else draw(TEXTS),
        names=names,
        found=draw(st.sampled_from(list(FILES))) if rare() else [*names, "image"][max(0, len(names) - 1)],
        duration=draw(st.sampled_from([0, 61])) if rare() else draw(st.none() | st.integers(1, 60)),
        areas=draw(st.lists(AREAS, max_size=2)),
    )


def dashed(values: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in values.items()}


def fault(content: Sequence[Sent]) -> tuple[str, str] | None:
    """The first breach of the rules: its code, and what the answer says of where it is."""
    if not content:
        return "E312", "There are no slides"
    if len(content) > 8:
        return "E225", f"There are {len(content)} slides"
    before = ((code, number) for number, slide in enumerate(content, 1) if (code := unfetched(slide)))
    after = ((code, number) for number, slide in enumerate(content, 1) if (code := fetched(slide)))
    code, number = next(before, None) or next(after, (None, 0))
    return (code, f"slide {number}") if code else None


def unfetched(slide: Sent) -> str | None:
    objects, others = ([name for name in slide.names if (name in OBJECTS) is which] for which in (True, False))
    together = {
        "E223": len(objects) > 1,
        "E224": bool(objects and others),
        "E226": set(others) == {"audio", "video"},
        "E227": set(others) == {"image", "video"},
        "E100": len(others) != len(set(others)),
        "E313": not slide.names and not slide.text.strip(),
        "E230": slide.duration in {0, 61},
    }
    return next((code for code, broken in together.items() if broken), None)


def fetched(slide: Sent) -> str | None:
    if any(name != found for name, found in slide.files()):
        return "E629"
    beyond = (area.left + area.width > 64 or area.top + area.height > 48 for area in slide.drawn())
    return "E100" if any(beyond) else None


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """A server that has each of the files under the name of its element."""

    def serve(connection: socket.socket) -> None:
        data = FILES[read_headers(connection).split()[1][1:].decode()]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(data), data))

    with listening(serve) as server:
        yield server.url


def assert_stored(slide: Slide, sent: Sent) -> None:
    assert (slide.text, slide.duration) == (sent.text.strip(), sent.duration or 10)
    stored = sorted(slide.media.values_list("sha256", flat=True))
    assert stored == sorted(hashlib.sha256(FILES[name]).hexdigest() for name in sent.names)
    assert [row.area() for row in slide.areas.all()] == sent.drawn()


def assert_listed(content: Sequence[Sent]) -> None:
    (listed,) = post_json({"action": "getMMSTemplates", "items-per-page": 1})["mms-templates"]
    size = sum(len(sent.text.strip().encode()) + sum(len(FILES[name]) for name in sent.names) for sent in content)
    assert (listed["total-slides"], listed["mms-size"]) == (len(content), size)
    assert listed["text-areas"] == [
        {"slide": number, **dashed(asdict(area))} for number, sent in enumerate(content, 1) for area in sent.drawn()
    ]


@fuzzed
@given(st.lists(slides(), max_size=3) | st.lists(st.just(Sent("a", (), "image", None, ())), min_size=7, max_size=10))
def test_content_is_refused_by_the_rules_alone_and_stored_as_it_was_sent(
    world: SimpleNamespace, web: str, content: list[Sent]
) -> None:
    said = post_json(
        {"action": "saveMMS", "name": "a", "message-subject": "b", "slide": [slide.json(web) for slide in content]}
    )
    expected = fault(content)
    if expected:
        assert (said["status"], said.get("error-code")) == ("Failure", expected[0]), said
        assert said["error-info"].startswith(expected[1])
        return
    assert said["status"] == "Success", said
    template = Template.objects.get(pk=said["mms-id"])
    assert (template.status == "encoding") is any({"audio", "video"} & set(slide.names) for slide in content)
    for slide, sent in zip(template.slides.all(), content, strict=True):
        assert_stored(slide, sent)
    assert_listed(content)


INSIDE = st.sampled_from(sorted(SINCH_JSON.known_names - {"x-api-key", "action"}))
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 70)
    | st.text(max_size=9)
    | st.sampled_from(["sans", "#FFffff", "left"]),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(INSIDE, inside, max_size=6),
    max_leaves=12,
)


@fuzzed
@given(st.dictionaries(INSIDE, ANYTHING, max_size=4), ANYTHING, ANYTHING)
def test_content_of_no_sense_is_answered(
    world: SimpleNamespace, customer: Scripted, more: dict[str, Any], slide: Any, areas: Any
) -> None:
    image = {"url": f"{customer.url}/a", "text-areas": areas}
    said = post_json(
        {"name": "a", "message-subject": "b", "slide": [slide, {"image": image}], **more, "action": "saveMMS"}
    )
    assert said["status"] == "Success" or said["error-code"] in CATALOGUE
