"""Text areas: stored with content in every dialect, and checked when content is saved and when it is sent."""

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
from tests.adaptation.pictures import encode_picture
from tests.api.dialect_requests import SKYCORE_SAVE, get, post, post_json
from tests.api.documents import KEY, NUMBER, SAVE, SEND, Elements, failure, file, request
from tests.scripted import ScriptedServer, serving

CallApi = Callable[[bytes], bytes]

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
def web() -> Iterator[ScriptedServer]:
    with serving(file()) as server:
        yield server


def xml(name: str, values: dict[str, str | None]) -> str:
    inside = "".join(f"<{key}>{value}</{key}>" for key, value in values.items() if value is not None)
    return f"<{name}>{inside}</{name}>"


def picture(url: str, *areas: dict[str, str | None]) -> str:
    return f"<image>{''.join(xml('text-area', area) for area in areas)}<url>{url}/a.jpg</url></image>"


def areas() -> list[Area]:
    return [row.area() for row in TextArea.objects.all()]


def assert_valid(dialect: Dialect, *documents: bytes) -> None:
    schema = etree.XMLSchema(etree.fromstring(xml_schema(dialect).encode()))
    for document in documents:
        schema.assertValid(etree.fromstring(document))


def assert_valid_json(**documents: dict[str, Any]) -> None:
    components = yaml.safe_load(openapi())["components"]
    for name, document in documents.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": components}
        jsonschema.validate(document, schema, cls=jsonschema.Draft202012Validator)


def test_text_areas_are_stored_unchanged_in_every_dialect(call_api: CallApi, web: ScriptedServer) -> None:
    body = request({**SAVE, "slide": picture(web.url, {**GREETING}, {**AREA})})
    assert (b"Success" in call_api(body), areas()) == (True, STORED)
    assert_valid(SINCH, body)
    capitals = [xml("TEXTAREA", {name.replace("-", "").upper(): v for name, v in a.items()}) for a in (GREETING, AREA)]
    slide = f"<SLIDE><IMAGE><URL>{web.url}/a</URL>{''.join(capitals)}</IMAGE></SLIDE>"
    skycore = SKYCORE_SAVE.format(key=KEY, rest=f"<NAME>a</NAME><SUBJECT>a</SUBJECT>{slide}").encode()
    assert (b"Success" in post("/API/wxml/1.3/", skycore, "")[1], areas()) == (True, STORED * 2)
    assert_valid(SKYCORE, skycore)
    listed = [{**GREETING, "left": 40, "font-size": 48}, AREA]
    slides = [{"image": {"url": f"{web.url}/a", "text-areas": listed}}]
    document = {"action": "saveMMS", "name": "a", "message-subject": "a", "slide": slides}
    assert (post_json(document)["status"], areas()) == ("Success", STORED * 3)
    assert_valid_json(Request=document)


def test_getmmstemplates_lists_text_areas(call_api: CallApi, web: ScriptedServer) -> None:
    call_api(request({**SAVE, "slide": ["<message-text>a</message-text>", picture(web.url, {**GREETING})]}))
    shown = call_api(request({"action": "getMMSTemplates", "api-key": KEY, "items-per-page": "1"}))
    assert (
        b"<text-area><slide>2</slide><text>Dear {{firstname|customer}}</text><left>40</left><top>60</top>"
        b"<width>400</width><height>120</height><font-size>48</font-size><font>sans-bold</font>"
        b"<color>#ffFFff</color><align>center</align><vertical-align>middle</vertical-align></text-area>"
        b"</mms-template>"
    ) in shown
    assert_valid(SINCH, shown)
    assert_valid(SKYCORE, get(f"action=getmmsids&api_key={KEY}"))
    listed = post_json({"action": "getMMSTemplates"})
    assert_valid_json(Answer=listed)
    newest, other = listed["mms-templates"]
    expected = {**GREETING, **{name: int(value) for name, value in BOX.items()}, "slide": 2}
    assert (newest["text-areas"], other["text-areas"]) == ([expected], [])


def area_with(**changes: str | None) -> dict[str, str | None]:
    return {**AREA, **{name.replace("_", "-"): value for name, value in changes.items()}}


FIRST_AREA = "slide 1, text-area 1: "
PIXELS = "must be a whole number of pixels from"
AREA_FAILURES: list[tuple[dict[str, str | None], str, str]] = [
    (area_with(text=None), "E100", "text is missing"),
    (area_with(text=" "), "E100", "text is missing"),
    (area_with(text="<b>a</b>"), "E100", "text must contain only text; write &lt; as &amp;lt;"),
    (area_with(left=None), "E100", f"left {PIXELS} 0 to 100000"),
    (area_with(top="-1"), "E100", f"top {PIXELS} 0 to 100000"),
    (area_with(width="0"), "E100", f"width {PIXELS} 1 to 100000"),
    (area_with(height="12.5"), "E100", f"height {PIXELS} 1 to 100000"),
    (area_with(font_size="5"), "E100", f"font-size {PIXELS} 6 to 1000"),
    (area_with(font_size="1001"), "E100", f"font-size {PIXELS} 6 to 1000"),
    (area_with(font="Arial"), "E100", "font must be one of sans, sans-bold"),
    (area_with(color="white"), "E100", "color must be # followed by six hexadecimal digits, such as #FF8800"),
    (area_with(color="#fff"), "E100", "color must be # followed by six hexadecimal digits, such as #FF8800"),
    (area_with(align="justify"), "E100", "align must be one of left, center, right"),
    (area_with(vertical_align="up"), "E100", "vertical-align must be one of top, middle, bottom"),
    (area_with(text="x" * 501), "E334", "the text has 501 characters; at most 500 are allowed"),
    (area_with(text="{{}} a"), "E100", "{{}} is not a merge tag; write {{name}} or {{name|default}}"),
    (area_with(text="{{name}} 日"), "E100",
     'the text contains "日" (U+65E5 CJK UNIFIED IDEOGRAPH-65E5), which cannot be drawn in sans'),
    (area_with(text="Dear customer " * 20), "E334",
     "the text does not fit into its box of 400 x 120 pixels, not even in a font size of 24"),
    (area_with(text="{{name|" + "too long " * 30 + "}}"), "E334",
     "the text does not fit into its box of 400 x 120 pixels, not even in a font size of 24"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code", "info"), AREA_FAILURES)
def test_invalid_text_area_is_refused_before_any_fetch(
    call_api: CallApi, customer: ScriptedServer, wrong: dict[str, str | None], code: str, info: str
) -> None:
    assert call_api(request({**SAVE, "slide": picture(customer.url, wrong)})) == failure(code, FIRST_AREA + info)
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
def test_misplaced_text_areas_are_refused(call_api: CallApi, customer: ScriptedServer, slide: str, info: str) -> None:
    body = request({**SAVE, "slide": slide.replace("{server}", customer.url)})
    assert (call_api(body), customer.received) == (failure("E100", info), [])


def rotated_picture() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return encode_picture(Image.new("RGB", (600, 800)), "JPEG", exif=exif.tobytes())


PICTURE_FAILURES: list[tuple[bytes, str, dict[str, str | None], str]] = [
    (encode_picture(Image.new("P", (800, 600)), "GIF", save_all=True, append_images=[Image.new("P", (800, 600), 9)]),
     "image/gif", {**AREA}, "slide 1: the image is animated; text-area requires a still image"),
    (encode_picture(Image.new("RGB", (439, 600)), "PNG"), "image/png", {**AREA},
     "slide 1, text-area 1: it reaches to 440 x 180 pixels; the image has 439 x 600"),
    (rotated_picture(), "image/jpeg", area_with(top="500"),
     "slide 1, text-area 1: it reaches to 440 x 620 pixels; the image has 800 x 600"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "mime_type", "drawn", "info"), PICTURE_FAILURES)
def test_text_area_beyond_its_picture_is_refused(
    call_api: CallApi, web: ScriptedServer, data: bytes, mime_type: str, drawn: dict[str, str | None], info: str
) -> None:
    web.default = file(data, mime_type)
    assert call_api(request({**SAVE, "slide": picture(web.url, drawn)})) == failure("E100", info)
    assert (Template.objects.count(), TextArea.objects.count()) == (1, 0)


def test_rotated_picture_uses_upright_coordinates(call_api: CallApi, web: ScriptedServer) -> None:
    web.default = file(rotated_picture())
    assert b"Success" in call_api(request({**SAVE, "slide": picture(web.url, area_with(left="400"))}))


def add_text_area(records: SimpleNamespace, text: str, slide: int = 1) -> None:
    records.template.slides.get(position=slide).areas.create(
        text=text, left=40, top=60, width=400, height=120, font_size=48
    )


DATA_FAILURES: list[tuple[str, str, str]] = [
    ("Dear {{nickname|}", "E100", "{{nickname|} is not a merge tag; write {{name}} or {{name|default}}"),
    ("Dear {{nickname}}", "E100", "data has no value for the merge tag nickname; add a value or a default"),
    ("Dear {{firstname}}", "E100",
     'the text contains "日" (U+65E5 CJK UNIFIED IDEOGRAPH-65E5), which cannot be drawn in sans'),
    ("Dear {{lastname}}", "E334",
     "the text does not fit into its box of 400 x 120 pixels, not even in a font size of 24"),
    ("Dear {{address}}", "E334", "the text has 1004 characters; at most 500 are allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code", "info"), DATA_FAILURES)
def test_text_undrawable_with_its_data_is_refused(
    records: SimpleNamespace, call_api: CallApi, text: str, code: str, info: str
) -> None:
    add_text_area(records, "Hello")
    add_text_area(records, text)
    data = {"firstname": "日本", "lastname": "W" * 100, "address": "x" * 999}
    response = call_api(request({**SEND, "data": "".join(f"<{k}>{v}</{k}>" for k, v in data.items())}))
    assert response == failure(code, f"slide 1, text-area 2: {info}", NUMBER)
    assert not Message.objects.exists()


def test_sendmms_checks_text_areas_with_their_data(
    records: SimpleNamespace, call_api: CallApi, web: ScriptedServer
) -> None:
    elements: Elements = {**SEND, "action": "sendMMS", "mms-id": None, "name": "a"}
    slide = picture(web.url, area_with(text="Dear {{nickname}}"))
    refused = call_api(request({**elements, "slide": slide}))
    missing = "data has no value for the merge tag nickname; add a value or a default"
    assert refused == failure("E100", FIRST_AREA + missing, NUMBER)
    assert web.received == []
    assert b"Success" in call_api(request({**elements, "slide": slide, "data": "<nickname>Bo</nickname>"}))
    assert TextArea.objects.get().slide.template == Message.objects.get().template


def test_dry_run_reports_texts_and_their_font_sizes(records: SimpleNamespace, call_api: CallApi) -> None:
    add_text_area(records, "Dear {{firstname}}, how do you do today?")
    add_text_area(records, "{{nickname|}}")
    elements = {"action": "sendSavedMMS", "to": NUMBER, "from": "28444", "service-id": "12345", "mms-id": "35674"}
    assert_valid(SINCH, call_api(request({**SEND, "dry-run": "true", "data": "<firstname>Bill</firstname>"})))
    response = post_json({**elements, "dry-run": True, "data": {"firstname": "Bill"}})
    assert_valid_json(Answer=response)
    assert response["text-areas"] == [{"slide": 1, "text": "Dear Bill, how do you do today?", "font-size": "45.6"}]
    assert response["renditions"] == []  # the picture is rendered for each message


def accept_queries(call_api: CallApi) -> int:
    stale_cache.clear()
    with CaptureQueriesContext(connection) as queries:
        assert b"Success" in call_api(request(SEND))
    return len(queries)


def test_text_areas_cost_a_query_only_if_there_are_any(records: SimpleNamespace, call_api: CallApi) -> None:
    call_api(request(SEND))  # key use is recorded once per minute
    before = accept_queries(call_api)
    add_text_area(records, "Hello")
    assert accept_queries(call_api) == before + 1
