"""The exact failures of sendSavedMMS."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from billing.models import SenderAddress
from mms.models import Message, NumberPrefix
from tests.api.documents import NUMBER, SEND, Elements, failure, request

CallApi = Callable[[bytes], bytes]


def refused(code: str, info: str, to: str = NUMBER) -> bytes:
    return failure(code, info, to)


def subject(text: str) -> dict[str, str]:
    return {"custom-subject": text}


def texts(*pairs: tuple[str, str]) -> Elements:
    return {"custom-text": [f"<slide>{slide}</slide><value>{value}</value>" for slide, value in pairs]}


NO_TAG = "is not a merge tag; write {{name}} or {{name|default}}"
DDM = {"ddm-message-text": "Hello"}
LONG = "x" * 5001
INTERNATIONAL = "a number in international format: country code and digits without separators, such as 14044790000"
COUNTRY_CODE_HINT = "it must start with the country code, without a 0 before or after it"

# More digits than E.164 allows, in numbering plans whose metadata permits them.
TOO_LONG = ["4917777777777777", "6217777777777777777", "8117777777777777777", "8217777777777777", "23417777777777777",
            "5981777777777777"]  # fmt: skip

# Change to a valid sendSavedMMS -> answer.
SEND_FAILURES: list[tuple[Elements, bytes]] = [
    # request and action
    ({"action": None}, refused("E100", "action is missing")),
    ({"action": " "}, refused("E100", "action is missing")),
    ({"action": ["sendSavedMMS", "saveMMS"]}, refused("E100", "action is given more than once")),
    ({"action": "<b/>sendSavedMMS"}, refused("E100", "action must contain only text; write &lt; as &amp;lt;")),
    ({"action": "sendSaved"}, refused("E107", "The action is unknown: sendSaved")),
    ({"action": "sendMMS&lt;"}, refused("E107", "The action is unknown: sendMMS&lt;")),
    ({"action": "a" * 50}, refused("E107", "The action is unknown: " + "a" * 40)),
    # key
    ({"api-key": None}, refused("E104", "api-key is missing")),
    ({"api-key": ""}, refused("E104", "api-key is missing")),
    ({"api-key": "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlz"}, refused("E104", "api-key is unknown")),
    ({"api-key": "ключ"}, refused("E104", "api-key is unknown")),
    ({"api-key": ["a", "b"]}, refused("E104", "api-key is given more than once")),
    # to
    ({"to": None}, refused("E110", "to is missing", to="")),
    ({"to": ""}, refused("E110", "to is missing", to="")),
    ({"to": ["14044790000", "14044790001"]}, refused("E110", "to is given more than once")),
    *(
        ({"to": to}, refused("E110", "to must be a single number; send a separate request for each recipient", to=to))
        for to in ("14044790000,14044790001", "14044790000 14044790001", "+14044790000;+14044790001")
    ),
    *(
        ({"to": to}, refused("E110", f"to must be {INTERNATIONAL}", to=to))
        for to in ("+1 404 479 0000", "1-404-479-0000", "1404479,0000", "+", "++14044790000", "١٤٠٤٤٧٩٠٠٠٠")
    ),
    *(
        ({"to": to}, refused("E110", f"to is not a possible number: {digits}; {COUNTRY_CODE_HINT}", to=to[:50]))
        for to, digits in (
            ("4047", "4047"),
            ("+4047", "4047"),
            ("0014044790000", "0014044790000"),
            ("4407911123456", "4407911123456"),
            ("9" * 5000, "9" * 20),
        )
    ),
    # data
    ({"data": "Bill"}, refused("E100", "data must contain an entry for each merge tag, not text")),
    # from
    ({"from": None}, refused("E111", "from is missing")),
    ({"from": "28445"}, refused("E111", "from is not one of the account's sender addresses: 28445")),
    ({"from": ["28444", "28444"]}, refused("E111", "from is given more than once")),
    # mms-id
    ({"mms-id": None}, refused("E620", "mms-id is missing")),
    ({"mms-id": ["35674", "35674"]}, refused("E100", "mms-id is given more than once")),
    ({"mms-id": "35675"}, refused("E241", "There is no mms-id 35675 in this account")),
    ({"mms-id": "spring"}, refused("E241", "There is no mms-id spring in this account")),
    ({"mms-id": "-1"}, refused("E241", "There is no mms-id -1 in this account")),
    ({"mms-id": "9" * 19}, refused("E241", f"There is no mms-id {'9' * 19} in this account")),
    ({"mms-id": "0" * 30 + "9" * 5000}, refused("E241", f"There is no mms-id {'0' * 20} in this account")),
    # service-id
    ({"service-id": None}, refused("E627", "service-id is missing")),
    ({"service-id": "12346"}, refused("E627", "service-id is not defined for this account: 12346")),
    ({"service-id": ["12345", "12345"]}, refused("E627", "service-id is given more than once")),
    # operator-id
    *(
        ({"operator-id": given}, refused("E650", "operator-id must be a whole number of at most 9 digits"))
        for given in ("AT&amp;T", "-1", "1" * 10, "9" * 30)
    ),
    ({"operator-id": ["31002", "31002"]}, refused("E650", "operator-id is given more than once")),
    (
        {"operator-id": "31003"},
        refused("E651", "operator-id 31003 is unknown; omit it to have the carrier looked up"),
    ),
    # fallback-sms-text
    (
        {"fallback-sms-text": LONG},
        refused("E228", "fallback-sms-text has 5001 characters; at most 5000 are allowed"),
    ),
    (
        {"fallback-sms-text": "{{a}}{{a}}", "data": f"<a>{'x' * 2501}</a>"},
        refused("E228", "fallback-sms-text is longer than 5000 characters with its merge tags filled"),
    ),
    (
        {"fallback-sms-text": "Dear {{title}}"},
        refused("E100", "fallback-sms-text: data has no value for the merge tag title; add a value or a default"),
    ),
    # custom-subject
    (
        subject("x" * 81),
        refused("E314", "custom-subject: the subject has 81 characters; at most 80 are allowed"),
    ),
    (
        subject("Spring 🌷"),
        refused(
            "E314",
            'custom-subject: the subject contains "🌷" (U+1F337 TULIP); only plain GSM or Latin text is allowed',
        ),
    ),
    (
        subject("two\nlines"),
        refused(
            "E314",
            "custom-subject: the subject contains (U+000A control character); only plain GSM or Latin text is allowed",
        ),
    ),
    (
        subject("Dear {{title}}"),
        refused("E100", "custom-subject: data has no value for the merge tag title; add a value or a default"),
    ),
    (
        {**subject("{{long}}"), "data": f"<long>{'x' * 81}</long>"},
        refused("E314", "custom-subject: the subject has 81 characters; at most 80 are allowed"),
    ),
    (subject("Dear {{title"), refused("E100", f"custom-subject: {{{{title {NO_TAG}")),
    # custom-text
    (texts(("3", "a")), refused("E100", "custom-text: there is no slide 3; the number of slides is 2")),
    (texts(("0", "a")), refused("E100", "custom-text: there is no slide 0; the number of slides is 2")),
    (texts(("0001999", "a")), refused("E100", "custom-text: there is no slide 0001999; the number of slides is 2")),
    (texts(("", "a")), refused("E100", "custom-text: slide is missing")),
    (texts(("1", "a"), ("01", "b")), refused("E100", "custom-text: slide 1 is given more than once")),
    ({"custom-text": "<slide>1</slide>"}, refused("E100", "slide 1, custom-text: value is missing")),
    (
        {"custom-text": "<slide>1</slide><slide>2</slide><value>a</value>"},
        refused("E100", "custom-text: slide is given more than once"),
    ),
    (
        texts(("1", "Hello <b>you</b>")),
        refused("E100", "slide 1, custom-text: value must contain only text; write &lt; as &amp;lt;"),
    ),
    (texts(("2", LONG)), refused("E334", "slide 2: the text has 5001 characters; at most 5000 are allowed")),
    (
        texts(("2", "{{pin}}")),
        refused("E100", "slide 2: data has no value for the merge tag pin; add a value or a default"),
    ),
    (texts(("2", "{{ |you}}")), refused("E100", f"slide 2: {{{{ |you}}}} {NO_TAG}")),
    (
        texts(("2", "{{first name}}")),
        refused("E100", "slide 2: data has no value for the merge tag first name; add a value or a default"),
    ),
    # (slide 1 has a picture, slide 2 none)
    *(
        (
            {**texts(("1", ""), ("2", text)), "data": "<b> </b>"},
            refused("E313", "slide 2 is empty: it has no medium, and its text is blank with its merge tags filled"),
        )
        for text in ("", "{{a|}}", "{{b}}", "{{a| }} {{b}}")
    ),
    # data
    ({"data": ["<pin>1</pin>", "<pin>2</pin>"]}, refused("E100", "data is given more than once")),
    ({"data": "<pin>1</pin><PIN>2</PIN>"}, refused("E100", "data: pin is given more than once")),
    ({"data": "<pin>1<i/></pin>"}, refused("E100", "pin must contain only text; write &lt; as &amp;lt;")),
    ({"data": f"<pin>{LONG}</pin>"}, refused("E100", "data: pin has 5001 characters; at most 5000 are allowed")),
    (
        {**texts(("1", "{{a}}{{a}}")), "data": f"<a>{'x' * 2501}</a>"},
        refused("E334", "slide 1: the text is longer than 5000 characters with its merge tags filled"),
    ),
    # ddm-*
    ({**DDM, "ddm-force": "yes"}, refused("E100", "ddm-force must be true or false")),
    ({"ddm-force": "true"}, refused("E100", "ddm-message-text is required with ddm-force")),
    (
        {**DDM, "ddm-message-subject": "x" * 81},
        refused("E314", "ddm-message-subject: the subject has 81 characters; at most 80 are allowed"),
    ),
    ({"ddm-message-text": LONG}, refused("E228", "ddm-message-text has 5001 characters; at most 5000 are allowed")),
    *(
        (
            {**DDM, "ddm-message-timeout": minutes},
            refused("E100", "ddm-message-timeout must be a whole number of minutes from 1 to 4320"),
        )
        for minutes in ("0", "4321", "-5", "5.0", "five", "00000199999", "9" * 5000)
    ),
    # the rest
    ({"device": "x" * 501}, refused("E100", "device has 501 characters; at most 500 are allowed")),
    ({"client-reference": "x" * 201}, refused("E100", "client-reference has 201 characters; at most 200 are allowed")),
    # routing
    (
        {"to": "447700900123"},
        refused(
            "E111",
            "from: 28444 is not assigned to GB, and the account has no default sender address for it",
            "447700900123",
        ),
    ),
]


@pytest.mark.parametrize(("change", "expected"), SEND_FAILURES)
def test_invalid_sendsavedmms_gets_the_exact_failure(call_api: CallApi, change: Elements, expected: bytes) -> None:
    assert call_api(request({**SEND, **change})) == expected
    assert not Message.objects.exists()


@pytest.mark.parametrize("number", TOO_LONG)
def test_number_of_more_than_15_digits_is_refused(records: SimpleNamespace, call_api: CallApi, number: str) -> None:
    SenderAddress.objects.create(account=records.account, address="49555", country="DE", default=True)
    NumberPrefix.objects.create(prefix=number[:2], carrier=records.carrier)
    for changes in ({}, {"dry-run": "true"}):
        assert b"E110" in call_api(request({**SEND, "to": number, **changes}))
