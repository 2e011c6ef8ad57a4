"""The read actions: getMMSTemplates, getMessage and loginUser."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from pytest_django import DjangoAssertNumQueries

from mms.models import Message, Template
from tests.api.dialect_requests import XML_DECLARATION, get, post, post_json
from tests.api.documents import KEY, SEND, Elements, failure, request

CallApi = Callable[[bytes], bytes]

LIST: Elements = {"action": "getMMSTemplates", "api-key": KEY}
READ: Elements = {"action": "getMessage", "api-key": KEY}
CREATED = datetime(2026, 11, 22, 12, 57, 35, tzinfo=UTC)

LIST_FAILURES: list[tuple[Elements, bytes]] = [
    ({"start-date": "yesterday"}, failure(
        "E214", "start-date must be an ISO 8601 date or time, such as 2026-11-22T12:57:35Z")),
    ({"start-date": ["a", "b"]}, failure("E214", "start-date is given more than once")),
    *(({"page-number": page}, failure("E212", "page-number must be a whole number from 1 to 1000000"))
      for page in ("0", "-1", "one", "1.5", "1000001", "9" * 5000)),
    *(({"items-per-page": items}, failure("E213", "items-per-page must be a whole number from 1 to 1000"))
      for items in ("0", "1001", "all")),
]  # fmt: skip
READ_FAILURES: list[tuple[Elements, bytes]] = [
    ({}, failure("E100", "tracking-id is missing")),
    *(
        ({"tracking-id": name}, failure("E100", f"There is no tracking-id {name[:40]} in this account"))
        for name in ("1", "TU1TXzE=", "TU1TXw==", "ü", "x" * 41, "MMS_1")
    ),
]


@pytest.fixture
def templates(records: SimpleNamespace) -> list[Template]:
    """Create three templates, returned newest first, and one of another account."""
    Template.objects.update(created_at=CREATED)
    two = [Template.objects.create(account=records.account, name=f"T{n}", subject=f"s{n}") for n in (2, 3)]
    another = type(records.account).objects.create(name="Another")
    Template.objects.create(account=another, name="Not ours", subject="")
    return [*reversed(two), records.template]


def names(answer: bytes) -> list[str]:
    return [part.split("<")[0] for part in answer.decode().split("<mms-name>")[1:]]


def test_templates_are_listed_with_all_their_fields(records: SimpleNamespace, call_api: CallApi) -> None:
    Template.objects.update(created_at=CREATED)
    texts = "Dear {{firstname|customer}}" + "Your number is {{accountnumber|unknown}}."
    size = records.medium.size + len(texts)
    assert call_api(request({**LIST, "start-date": "2026-11-22T13:57:35+01:00"})).decode() == (
        f"{XML_DECLARATION}<response><status>Success</status><start-date>2026-11-22T12:57:35+00:00</start-date>"
        "<page-number>1</page-number><items-per-page>100</items-per-page><total-results>1</total-results>"
        "<mms-template><mms-id>35674</mms-id><mms-name>Spring</mms-name><mms-subject>Spring is here</mms-subject>"
        f"<date-created>2026-11-22T12:57:35+00:00</date-created><total-slides>2</total-slides>"
        f"<mms-size>{size}</mms-size></mms-template></response>"
    )


def test_skycore_aliases_are_accepted_and_named_in_errors(records: SimpleNamespace) -> None:
    pages = "<START_DATE>2026-11-22</START_DATE><PAGE_NUMBER>2</PAGE_NUMBER><ITEMS_PER_PAGE>7</ITEMS_PER_PAGE>"
    xml = f"<REQUEST><ACTION>getMmsIds</ACTION><API_KEY>{KEY}</API_KEY>{pages}</REQUEST>"
    answer = post("/API/wxml/1.3/", xml.encode(), "")[1].decode()
    assert "<PAGENUMBER>2</PAGENUMBER><ITEMSPERPAGE>7</ITEMSPERPAGE>" in answer
    assert "<STARTDATE>2026-11-22T00:00:00+00:00</STARTDATE>" in answer
    answer = post("/API/wxml/1.3/", xml.replace(">7<", ">0<").encode(), "")[1].decode()
    assert "<ERRORINFO>ITEMS_PER_PAGE must be a whole number from 1 to 1000</ERRORINFO>" in answer
    refused = get(f"action=getmmsids&api_key={KEY}&page_number=1&pagenumber=1")
    assert b"<ERRORINFO>page_number and pagenumber mean the same; send only one of them</ERRORINFO>" in refused


def test_templates_are_listed_in_other_dialects(records: SimpleNamespace) -> None:
    Template.objects.update(created_at=CREATED)
    records.template.slides.all().delete()
    assert get(f"action=GETMMSIDS&api_key={KEY}&itemsperpage=7").decode() == (
        f"{XML_DECLARATION}<RESPONSE><STATUS>Success</STATUS><PAGENUMBER>1</PAGENUMBER><ITEMSPERPAGE>7</ITEMSPERPAGE>"
        "<TOTALRESULTS>1</TOTALRESULTS><MMSTEMPLATE><MMSID>35674</MMSID><MMSNAME>Spring</MMSNAME>"
        "<MMSSUBJECT>Spring is here</MMSSUBJECT><DATECREATED>2026-11-22T12:57:35+00:00</DATECREATED>"
        "<TOTALSLIDES>0</TOTALSLIDES><MMSSIZE>0</MMSSIZE></MMSTEMPLATE></RESPONSE>"
    )
    assert post_json({"action": "getMMSTemplates", "page-number": 1}) == {
        "status": "Success",
        "page-number": 1,
        "items-per-page": 100,
        "total-results": 1,
        "mms-templates": [
            {
                "mms-id": "35674",
                "mms-name": "Spring",
                "mms-subject": "Spring is here",
                "date-created": "2026-11-22T12:57:35+00:00",
                "total-slides": 0,
                "mms-size": 0,
                "text-areas": [],
            }
        ],
    }
    assert post_json({"action": "getMMSTemplates", "page-number": 2})["mms-templates"] == []


def test_templates_are_paged_newest_first(templates: list[Template], call_api: CallApi) -> None:
    def page(number: int, items: int) -> list[str]:
        return names(call_api(request({**LIST, "page-number": str(number), "items-per-page": str(items)})))

    assert page(1, 1000) == ["T3", "T2", "Spring"]
    assert [page(number, 2) for number in (1, 2, 3)] == [["T3", "T2"], ["Spring"], []]
    later = call_api(request({**LIST, "start-date": "2026-11-22T12:57:36", "items-per-page": "1"}))
    assert (names(later), b"<total-results>2</total-results>" in later) == (["T3"], True)


def test_listing_templates_takes_a_fixed_number_of_queries(
    templates: list[Template], call_api: CallApi, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    call_api(request(LIST))  # key use is recorded once per minute
    # key, templates, count, slides, media, text areas
    with django_assert_num_queries(6):
        call_api(request(LIST))


@pytest.mark.parametrize(("change", "expected"), LIST_FAILURES)
def test_invalid_getmmstemplates_gets_the_exact_failure(call_api: CallApi, change: Elements, expected: bytes) -> None:
    assert call_api(request({**LIST, **change})) == expected


@pytest.mark.parametrize(("change", "expected"), READ_FAILURES)
def test_invalid_getmessage_gets_the_exact_failure(call_api: CallApi, change: Elements, expected: bytes) -> None:
    assert call_api(request({**READ, **change})) == expected


def test_getmessage_hides_operators_and_other_accounts(records: SimpleNamespace, call_api: CallApi) -> None:
    call_api(request(SEND))
    message = Message.objects.get()
    message.events.create(at=CREATED, kind="resolved", text="olga: it was sent")
    answer = call_api(request({**READ, "tracking-id": message.tracking_id}))
    assert b"<type>resolved</type></event>" in answer
    Message.objects.update(account=type(records.account).objects.create(name="Another"))
    assert b"E100" in call_api(request({**READ, "tracking-id": message.tracking_id}))


@pytest.mark.parametrize("path", ["/ep/v1/", "/API/wxml/1.3/"])
def test_loginuser_checks_the_key(records: SimpleNamespace, path: str) -> None:
    body = "<REQUEST><ACTION>loginUser</ACTION><API_KEY>{}</API_KEY></REQUEST>"
    valid, invalid = (post(path, body.format(key).encode(), "")[1].decode() for key in (KEY, "x"))
    assert valid == (
        f"{XML_DECLARATION}<RESPONSE><STATUS>Success</STATUS>"
        "<STATUSDETAILS>Logged in as Customer</STATUSDETAILS></RESPONSE>"
    )
    assert "<ERRORCODE>E104</ERRORCODE><ERRORINFO>API_KEY is unknown</ERRORINFO>" in invalid
    assert json.dumps(post_json({"action": "loginUser"})) == (
        '{"status": "Success", "status-details": "Logged in as Customer"}'
    )
