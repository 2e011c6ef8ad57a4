"""Random content: never an HTTP 500; refused only by the documented rules, or stored unchanged."""

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
from tests.api.sockets import read_headers, tcp_server
from tests.scripted import ScriptedServer
from tests.wire import photograph

pytestmark = pytest.mark.usefixtures("public_loopback")

fuzzed = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Element -> its file, in the order of fetching. Audio and video are recognised by their signatures.
FILES = {
    "image": photograph(64, 48),
    "audio": b"#!AMR\n" + bytes(50),
    "video": b"\x00\x00\x01\xba" + bytes(50),
    "contact": b"BEGIN:VCARD\r\nFN:Ann\r\nEND:VCARD\r\n",
    "calendar": b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
    "pdf": b"%PDF-1.4\n%%EOF\n",
}
OBJECTS = {"contact", "calendar", "pdf"}
COMBINATIONS = [[], ["image"], ["audio"], ["audio", "image"], ["video"], ["contact"], ["calendar"], ["pdf"]]
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
class RandomSlide:
    """A random slide; `found` is the element whose file is served for the last of `names`."""

    text: str
    names: Sequence[str]
    found: str
    duration: int | None
    areas: Sequence[Area]

    def files(self) -> list[tuple[str, str]]:
        """Return pairs of element and served file, in the order of fetching."""
        pairs = [(name, self.found if name == self.names[-1] else name) for name in self.names]
        return sorted(pairs, key=lambda pair: list(FILES).index(pair[0]))

    def json(self, url: str) -> dict[str, Any]:
        media: dict[str, list[dict[str, Any]]] = {}
        for name, found in self.files():
            media.setdefault(name, []).append({"url": f"{url}/{found}"})
        if self.areas and "image" in media:
            media["image"][0]["text-areas"] = [dashed(asdict(area)) for area in self.areas]
        return {"message-text": self.text, "duration": self.duration, **media}

    def text_areas(self) -> list[Area]:
        return list(self.areas) if "image" in self.names else []


@st.composite
def slides(draw: st.DrawFn) -> RandomSlide:
    """Generate mostly valid slides; about one in sixteen breaks a given rule."""

    def rare() -> bool:
        return draw(st.integers(0, 15)) == 9

    names = draw(st.lists(st.sampled_from(list(FILES)), max_size=2) if rare() else st.sampled_from(COMBINATIONS))
    return RandomSlide(
        text="" if rare() else draw(TEXTS),
        names=names,
        found=draw(st.sampled_from(list(FILES))) if rare() else [*names, "image"][max(0, len(names) - 1)],
        duration=draw(st.sampled_from([0, 61])) if rare() else draw(st.none() | st.integers(1, 60)),
        areas=draw(st.lists(AREAS, max_size=2)),
    )


def dashed(values: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("_", "-"): value for name, value in values.items()}


def first_fault(content: Sequence[RandomSlide]) -> tuple[str, str] | None:
    """Return the code and the place of the first broken rule, or None."""
    if not content:
        return "E312", "There are no slides"
    if len(content) > 8:
        return "E225", f"There are {len(content)} slides"
    before = ((code, number) for number, slide in enumerate(content, 1) if (code := fault_before_fetch(slide)))
    after = ((code, number) for number, slide in enumerate(content, 1) if (code := fault_after_fetch(slide)))
    code, number = next(before, None) or next(after, (None, 0))
    return (code, f"slide {number}") if code else None


def fault_before_fetch(slide: RandomSlide) -> str | None:
    objects, others = ([name for name in slide.names if (name in OBJECTS) is which] for which in (True, False))
    faults = {
        "E223": len(objects) > 1,
        "E224": bool(objects and others),
        "E226": set(others) == {"audio", "video"},
        "E227": set(others) == {"image", "video"},
        "E100": len(others) != len(set(others)),
        "E313": not slide.names and not slide.text.strip(),
        "E230": slide.duration in {0, 61},
    }
    return next((code for code, broken in faults.items() if broken), None)


def fault_after_fetch(slide: RandomSlide) -> str | None:
    if any(name != found for name, found in slide.files()):
        return "E629"
    is_beyond = (area.left + area.width > 64 or area.top + area.height > 48 for area in slide.text_areas())
    return "E100" if any(is_beyond) else None


@pytest.fixture(scope="module")
def web() -> Iterator[str]:
    """Serve each file under the name of its element."""

    def serve(connection: socket.socket) -> None:
        data = FILES[read_headers(connection).split()[1][1:].decode()]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(data), data))

    with tcp_server(serve) as server:
        yield server.url


def assert_stored(slide: Slide, sent: RandomSlide) -> None:
    assert (slide.text, slide.duration) == (sent.text.strip(), sent.duration or 10)
    stored = sorted(slide.media.values_list("sha256", flat=True))
    assert stored == sorted(hashlib.sha256(FILES[name]).hexdigest() for name in sent.names)
    assert [row.area() for row in slide.areas.all()] == sent.text_areas()


def assert_listed(content: Sequence[RandomSlide]) -> None:
    (listed,) = post_json({"action": "getMMSTemplates", "items-per-page": 1})["mms-templates"]
    size = sum(len(sent.text.strip().encode()) + sum(len(FILES[name]) for name in sent.names) for sent in content)
    assert (listed["total-slides"], listed["mms-size"]) == (len(content), size)
    assert listed["text-areas"] == [
        {"slide": number, **dashed(asdict(area))}
        for number, sent in enumerate(content, 1)
        for area in sent.text_areas()
    ]


@fuzzed
@given(
    st.lists(slides(), max_size=3) | st.lists(st.just(RandomSlide("a", (), "image", None, ())), min_size=7, max_size=10)
)
def test_random_content_is_stored_or_refused_by_the_rules(
    records: SimpleNamespace, web: str, content: list[RandomSlide]
) -> None:
    answer = post_json(
        {"action": "saveMMS", "name": "a", "message-subject": "b", "slide": [slide.json(web) for slide in content]}
    )
    expected = first_fault(content)
    if expected:
        assert (answer["status"], answer.get("error-code")) == ("Failure", expected[0]), answer
        assert answer["error-info"].startswith(expected[1])
        return
    assert answer["status"] == "Success", answer
    template = Template.objects.get(pk=answer["mms-id"])
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
def test_nonsense_content_is_answered(
    records: SimpleNamespace, customer: ScriptedServer, more: dict[str, Any], slide: Any, areas: Any
) -> None:
    image = {"url": f"{customer.url}/a", "text-areas": areas}
    answer = post_json(
        {"name": "a", "message-subject": "b", "slide": [slide, {"image": image}], **more, "action": "saveMMS"}
    )
    assert answer["status"] == "Success" or answer["error-code"] in CATALOGUE
