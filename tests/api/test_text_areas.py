"""Texts on pictures: set with the content, in every dialect, and checked as far as each request tells."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest
import yaml
from django.db import connection
from django.test.utils import CaptureQueriesContext
from lxml import etree
from PIL import Image

from base import stale_cache
from mms.adaptation.content import Align, Area, Font, VerticalAlign
from mms.api.dialects import SINCH, SKYCORE, Dialect
from mms.api.schema_views import openapi, xml_schema
from mms.models import Message, Template, TextArea
from tests.adaptation.pictures import saved
from tests.api.dialect_requests import SKYCORE_SAVE, get, post, post_json
from tests.api.documents import KEY, NUMBER, SAVE, SEND, Elements, failure, file, request
from tests.scripted import Scripted, serving

Post = Callable[[bytes], bytes]

BOX = {"left": "40", "top": "60", "width": "400", "height": "120", "font-size": "48"}
AREA = {"text": "Dear {{firstname|customer}}", **BOX}
GREETING = {**AREA, "font": "sans-bold", "color": "#ffFFff", "align": "center", "vertical-align": "middle"}
STORED = [
    Area(
        "Dear {{firstname|customer}}", 40, 60, 400, 120, 48, Font.SANS_BOLD, "#ffFFff", Align.CENTER,
        VerticalAlign.MIDDLE,
    ),
    Area("Dear {{firstname|customer}}", 40, 60, 400, 120, 48),
]  # fmt: skip


@pytest.fixture
def web() -> Iterator[Scripted]:
    with serving(file()) as server:
        yield server


def xml(name: str, values: dict[str, str | None]) -> str:
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in values.items() if value is not None)
    return f"<{name}>{inside}</{name}>"


def picture(url: str, *areas: dict[str, str | None]) -> str:
    return f"<image>{''.join(xml('text-area', area) for area in areas)}<url>{url}/a.jpg</url></image>"


def areas() -> list[Area]:
    return [row.area() for row in TextArea.objects.all()]


def held(dialect: Dialect, *documents: bytes) -> None:
    schema = etree.XMLSchema(etree.fromstring(xml_schema(dialect).encode()))
    for document in documents:
        schema.assertValid(etree.fromstring(document))


def held_json(**documents: dict[str, Any]) -> None:
    components = yaml.safe_load(openapi())["components"]
    for name, document in documents.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def test_areas_are_stored_as_they_were_sent_in_every_dialect(answer: Post, web: Scripted) -> None:
    body = request({**SAVE, "slide": picture(web.url, {**GREETING}, {**AREA})})
    assert (b"Success" in answer(body), areas()) == (True, STORED)
    held(SINCH, body)
    capitals = [xml("TEXTAREA", {name.replace("-", "").upper(): v for name, v in a.items()}) for a in (GREETING, AREA)]
    slide = f"<SLIDE><IMAGE><URL>{web.url}/a</URL>{''.join(capitals)}</IMAGE></SLIDE>"
    skycore = SKYCORE_SAVE.format(key=KEY, rest=f"<NAME>a</NAME><SUBJECT>a</SUBJECT>{slide}").encode()
    assert (b"Success" in post("/API/wxml/1.3/", skycore, "")[1], areas()) == (True, STORED * 2)
    held(SKYCORE, skycore)
    listed = [{**GREETING, "left": 40, "font-size": 48}, AREA]
    slides = [{"image": {"url": f"{web.url}/a", "text-areas": listed}}]
    document = {"action": "saveMMS", "name": "a", "message-subject": "a", "slide": slides}
    assert (post_json(document)["status"], areas()) == ("Success", STORED * 3)
    held_json(Request=document)


def test_getmmstemplates_shows_them(answer: Post, web: Scripted) -> None:
    answer(request({**SAVE, "slide": ["<message-text>a</message-text>", picture(web.url, {**GREETING})]}))
    shown = answer(request({"action": "getMMSTemplates", "api-key": KEY, "items-per-page": "1"}))
    assert (
        b"<text-area><slide>2</slide><text>Dear {{firstname|customer}}</text><left>40</left><top>60</top>"
        b"<width>400</width><height>120</height><font-size>48</font-size><font>sans-bold</font>"
        b"<color>#ffFFff</color><align>center</align><vertical-align>middle</vertical-align></text-area>"
        b"</mms-template>"
    ) in shown
    held(SINCH, shown)
    held(SKYCORE, get(f"action=getmmsids&api_key={KEY}"))
    listed = post_json({"action": "getMMSTemplates"})
    held_json(Answer=listed)
    newest, other = listed["mms-templates"]
    expected = {**GREETING, **{name: int(value) for name, value in BOX.items()}, "slide": 2}
    assert (newest["text-areas"], other["text-areas"]) == ([expected], [])


def changed(**changes: str | None) -> dict[str, str | None]:
    return {**AREA, **{name.replace("_", "-"): value for name, value in changes.items()}}


HERE = "slide 1, text-area 1: "
WHOLE = "must be a whole number of pixels from"
REFUSED: list[tuple[dict[str, str | None], str, str]] = [
    (changed(text=None), "E100", "text is missing"),
    (changed(text=" "), "E100", "text is missing"),
    (changed(text="<b>a</b>"), "E100", "text must contain only text; write &lt; as &amp;lt;"),
    (changed(left=None), "E100", f"left {WHOLE} 0 to 100000"),
    (changed(top="-1"), "E100", f"top {WHOLE} 0 to 100000"),
    (changed(width="0"), "E100", f"width {WHOLE} 1 to 100000"),
    (changed(height="12.5"), "E100", f"height {WHOLE} 1 to 100000"),
    (changed(font_size="5"), "E100", f"font-size {WHOLE} 6 to 1000"),
    (changed(font_size="1001"), "E100", f"font-size {WHOLE} 6 to 1000"),
    (changed(font="Arial"), "E100", "font must be one of sans, sans-bold"),
    (changed(color="white"), "E100", "color must be # followed by six hexadecimal digits, such as #FF8800"),
    (changed(color="#fff"), "E100", "color must be # followed by six hexadecimal digits, such as #FF8800"),
    (changed(align="justify"), "E100", "align must be one of left, center, right"),
    (changed(vertical_align="up"), "E100", "vertical-align must be one of top, middle, bottom"),
    (changed(text="x" * 501), "E334", "the text has 501 characters; at most 500 are allowed"),
    (changed(text="{{}} a"), "E100", "{{}} is not a merge tag; write {{name}} or {{name|default}}"),
    (changed(text="{{name}} 日"), "E100",
     'the text contains "日" (U+65E5 CJK UNIFIED IDEOGRAPH-65E5), which cannot be drawn in sans'),
    (changed(text="Dear customer " * 20), "E334",
     "the text does not fit into its box of 400 x 120 pixels, not even in a font size of 24"),
    (changed(text="{{name|" + "too long " * 30 + "}}"), "E334",
     "the text does not fit into its box of 400 x 120 pixels, not even in a font size of 24"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code", "info"), REFUSED)
def test_a_fault_of_an_area_is_answered_in_these_bytes_before_anything_is_fetched(
    answer: Post, customer: Scripted, wrong: dict[str, str | None], code: str, info: str
) -> None:
    assert answer(request({**SAVE, "slide": picture(customer.url, wrong)})) == failure(code, HERE + info)
    assert customer.received == []


@pytest.mark.parametrize(
    ("slide", "info"),
    [
        ("<message-text>a</message-text>" + xml("text-area", {**AREA}), "slide 1: text-area must be inside image"),
        (f"<video><url>{{server}}/a</url>{xml('text-area', {**AREA})}</video>",
         "slide 1: text-area must be inside image"),
        (f"<image><url>{{server}}/a</url>{xml('text-area', {**AREA}) * 11}</image>",
         "slide 1: text-area is given 11 times; at most 10 are allowed"),
    ],
)  # fmt: skip
def test_areas_in_a_wrong_place_are_refused(answer: Post, customer: Scripted, slide: str, info: str) -> None:
    body = request({**SAVE, "slide": slide.replace("{server}", customer.url)})
    assert (answer(body), customer.received) == (failure("E100", info), [])


def turned() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return saved(Image.new("RGB", (600, 800)), "JPEG", exif=exif.tobytes())


PICTURES: list[tuple[bytes, str, dict[str, str | None], str]] = [
    (saved(Image.new("P", (800, 600)), "GIF", save_all=True, append_images=[Image.new("P", (800, 600), 9)]),
     "image/gif", {**AREA}, "slide 1: the image is animated; text-area requires a still image"),
    (saved(Image.new("RGB", (439, 600)), "PNG"), "image/png", {**AREA},
     "slide 1, text-area 1: it reaches to 440 x 180 pixels; the image has 439 x 600"),
    (turned(), "image/jpeg", changed(top="500"),
     "slide 1, text-area 1: it reaches to 440 x 620 pixels; the image has 800 x 600"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "mime_type", "drawn", "info"), PICTURES)
def test_areas_that_the_picture_cannot_have_are_refused_and_nothing_is_stored(
    answer: Post, web: Scripted, data: bytes, mime_type: str, drawn: dict[str, str | None], info: str
) -> None:
    web.default = file(data, mime_type)
    assert answer(request({**SAVE, "slide": picture(web.url, drawn)})) == failure("E100", info)
    assert (Template.objects.count(), TextArea.objects.count()) == (1, 0)


def test_a_picture_that_lies_on_its_side_takes_areas_as_it_is_seen(answer: Post, web: Scripted) -> None:
    web.default = file(turned())
    assert b"Success" in answer(request({**SAVE, "slide": picture(web.url, changed(left="400"))}))


def lettered(world: SimpleNamespace, text: str, slide: int = 1) -> None:
    world.template.slides.get(position=slide).areas.create(
        text=text, left=40, top=60, width=400, height=120, font_size=48
    )


SEND_REFUSED: list[tuple[str, str, str]] = [
    ("Dear {{nickname|}", "E100", "{{nickname|} is not a merge tag; write {{name}} or {{name|default}}"),
    ("Dear {{nickname}}", "E100", "data has no value for the merge tag nickname; add a value or a default"),
    ("Dear {{firstname}}", "E100",
     'the text contains "日" (U+65E5 CJK UNIFIED IDEOGRAPH-65E5), which cannot be drawn in sans'),
    ("Dear {{lastname}}", "E334",
     "the text does not fit into its box of 400 x 120 pixels, not even in a font size of 24"),
    ("Dear {{address}}", "E334", "the text has 1004 characters; at most 500 are allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "info"), SEND_REFUSED)
def test_what_cannot_be_drawn_with_its_data_is_refused_when_it_is_sent(
    world: SimpleNamespace, answer: Post, text: str, code: str, info: str
) -> None:
    lettered(world, "Hello")
    lettered(world, text)
    data = {"firstname": "日本", "lastname": "W" * 100, "address": "x" * 999}
    said = answer(request({**SEND, "data": "".join(f"<{k}>{v}</{k}>" for k, v in data.items())}))
    assert said == failure(code, f"slide 1, text-area 2: {info}", NUMBER)
    assert not Message.objects.exists()


def test_sendmms_checks_areas_and_data_together(world: SimpleNamespace, answer: Post, web: Scripted) -> None:
    order: Elements = {**SEND, "action": "sendMMS", "mms-id": None, "name": "a"}
    slide = picture(web.url, changed(text="Dear {{nickname}}"))
    refused = answer(request({**order, "slide": slide}))
    lacking = "data has no value for the merge tag nickname; add a value or a default"
    assert refused == failure("E100", HERE + lacking, NUMBER)
    assert web.received == []
    assert b"Success" in answer(request({**order, "slide": slide, "data": "<nickname>Bo</nickname>"}))
    assert TextArea.objects.get().slide.template == Message.objects.get().template


def test_a_dry_run_shows_the_texts_and_the_size_that_they_fit_in(world: SimpleNamespace, answer: Post) -> None:
    lettered(world, "Dear {{firstname}}, how do you do today?")
    lettered(world, "{{nickname|}}")
    asked = {"action": "sendSavedMMS", "to": NUMBER, "from": "28444", "service-id": "12345", "mms-id": "35674"}
    held(SINCH, answer(request({**SEND, "dry-run": "true", "data": "<firstname>Bill</firstname>"})))
    said = post_json({**asked, "dry-run": True, "data": {"firstname": "Bill"}})
    held_json(Answer=said)
    assert said["text-areas"] == [{"slide": 1, "text": "Dear Bill, how do you do today?", "font-size": "45.6"}]
    assert said["renditions"] == []  # it is made for this message alone


def accept_queries(answer: Post) -> int:
    stale_cache.clear()
    with CaptureQueriesContext(connection) as queries:
        assert b"Success" in answer(request(SEND))
    return len(queries)


def test_areas_cost_a_query_only_where_there_are_any(world: SimpleNamespace, answer: Post) -> None:
    answer(request(SEND))  # the use of a key is noted once a minute
    before = accept_queries(answer)
    lettered(world, "Hello")
    assert accept_queries(answer) == before + 1
