"""Dialects: the exact body of every postback."""

from typing import Any

import pytest

from mms.postbacks import dialects

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'

STEP = {
    "origin": "MMS_MT",
    "sent-as": "MMS",
    "mms-id": "35674",
    "from": "28444",
    "to": "14044790000",
    "tracking-id": "TU1TXzU5Nzg3OQ==",
    "operator-id": "31002",
    "timestamp": "2026-11-22T12:57:35+00:00",
}
CONTENT = {"origin": "MMS_MT", "mms-id": "35674"}
MO = {
    "origin": "MMS_MO",
    "code": "N401",
    "content": ["https://mms.example/mo/1.jpg", "https://mms.example/mo/2.txt?a=1&b=2"],
    "from": "14082257140",
    "to": "28444",
    "keyword": "all",
    "tracking-id": "TU1TXzU5Nzg3OQ==",
    "operator-id": "31002",
    "timestamp": "2026-11-22T12:57:35+00:00",
    "message-subject": "Grüße <3",
}

SENT = "Message Sent"
FAILED = "Message Failed"


def bodies(fields: dict[str, Any]) -> tuple[str, str, str]:
    """Return the bodies in the Sinch, Skycore and JSON dialects."""
    sinch, skycore, json = (dialects.body(fields, name).decode() for name in ("sinch", "skycore", "json"))
    return sinch, skycore, json


# Our code and status -> the code in the Sinch, the Skycore and the JSON dialect.
CODES = [
    ("N501", SENT, "N501 N501 N501"),
    ("E501", FAILED, "E501 E501 E501"),
    ("N502", "Message Sent/Delivered", "N502 N502 N502"),
    ("E502", "Message Sent/Expired", "E502 E502 E502"),
    ("E502", "Message Sent/Rejected", "E502 E502 E502"),
    ("E502", "Message Sent/Failed", "E502 E502 E502"),
    ("E502", "Message Sent/Not Supported", "E502 E502 E502"),
    ("N101", SENT, "N101 N101 N101"),
    ("E101", FAILED, "E101 E101 E101"),
    ("N102", "Message Sent/Delivered", "N102 N102 N102"),
    ("E102", "Message Sent/Expired", "E102 N102 N103"),
    ("E102", "Message Sent/Rejected", "E102 N102 E102"),
    ("E102", "Message Sent/Failed", "E102 E102 E102"),
    ("E102", "Message Sent/Not Supported", "E102 E102 E102"),
    ("N202", "Message Sent/Delivered", "N202 N202 N202"),
    ("E202", "Message Sent/Failed", "E202 E202 E202"),
]


@pytest.mark.parametrize(("code", "status", "expected"), CODES)
def test_message_postback_in_each_dialect(code: str, status: str, expected: str) -> None:
    sinch, skycore, json = expected.split()
    assert bodies({**STEP, "code": code, "status": status}) == (
        (
            f"{XML}<postback><origin>MMS_MT</origin><code>{sinch}</code><sent-as>MMS</sent-as><status>{status}</status>"
            "<mms-id>35674</mms-id><from>28444</from><to>14044790000</to><tracking-id>TU1TXzU5Nzg3OQ==</tracking-id>"
            "<operator-id>31002</operator-id><timestamp>2026-11-22T12:57:35+00:00</timestamp></postback>"
        ),
        (
            f"{XML}<POSTBACK><ORIGIN>MMS_MT</ORIGIN><CODE>{skycore}</CODE><SENTAS>MMS</SENTAS><STATUS>{status}</STATUS>"
            "<MMSID>35674</MMSID><FROM>28444</FROM><TO>14044790000</TO><TRACKINGID>TU1TXzU5Nzg3OQ==</TRACKINGID>"
            "<SPID>31002</SPID><TIMESTAMP>2026-11-22T12:57:35+00:00</TIMESTAMP></POSTBACK>"
        ),
        (
            f'{{"origin":"MMS_MT","code":"{json}","sent-as":"MMS","status":"{status}","mms-id":"35674","from":"28444",'
            '"to":"14044790000","tracking-id":"TU1TXzU5Nzg3OQ==","operator-id":"31002",'
            '"timestamp":"2026-11-22T12:57:35+00:00"}'
        ),
    )


def test_optional_fields_follow_in_a_fixed_order() -> None:
    more = {"client-reference": "A&B", "status-details": "said <busy>", "handset": "http://a.example/?b&c"}
    sinch, skycore, json = bodies({**more, **STEP, "code": "N102", "status": "Message Sent/Delivered"})
    assert sinch.endswith(
        "</timestamp><handset>http://a.example/?b&amp;c</handset><status-details>said &lt;busy&gt;</status-details>"
        "<client-reference>A&amp;B</client-reference></postback>"
    )
    assert skycore.endswith(
        "</TIMESTAMP><HANDSET>http://a.example/?b&amp;c</HANDSET><STATUSDETAILS>said &lt;busy&gt;</STATUSDETAILS>"
        "<CLIENTREFERENCE>A&amp;B</CLIENTREFERENCE></POSTBACK>"
    )
    assert json.endswith(
        '+00:00","handset":"http://a.example/?b&c","status-details":"said <busy>","client-reference":"A&B"}'
    )


@pytest.mark.parametrize("code", ["N003", "N013"])
def test_ready_content_postback_in_each_dialect(code: str) -> None:
    assert bodies({**CONTENT, "code": code}) == (
        f"{XML}<postback><origin>MMS_MT</origin><code>{code}</code><mms-id>35674</mms-id></postback>",
        f"{XML}<POSTBACK><ORIGIN>MMS_MT</ORIGIN><CODE>{code}</CODE><MMSID>35674</MMSID></POSTBACK>",
        f'{{"origin":"MMS_MT","code":"{code}","mms-id":"35674"}}',
    )


@pytest.mark.parametrize(
    ("code", "name", "skycore"),
    [
        ("E002", "audio-name", "AUDIONAME"),
        ("E003", "video-name", "VIDEONAME"),
        ("E004", "image-name", "IMAGENAME"),
        ("E012", "audio-name", "AUDIONAME"),
        ("E013", "video-name", "VIDEONAME"),
    ],
)
def test_failed_content_postback_contains_the_source_url(code: str, name: str, skycore: str) -> None:
    url = "http://customer.example/1"
    assert bodies({name: url, **CONTENT, "code": code}) == (
        (
            f"{XML}<postback><origin>MMS_MT</origin><code>{code}</code><mms-id>35674</mms-id>"
            f"<{name}>{url}</{name}></postback>"
        ),
        (
            f"{XML}<POSTBACK><ORIGIN>MMS_MT</ORIGIN><CODE>{code}</CODE><MMSID>35674</MMSID>"
            f"<{skycore}>{url}</{skycore}></POSTBACK>"
        ),
        f'{{"origin":"MMS_MT","code":"{code}","mms-id":"35674","{name}":"{url}"}}',
    )


def test_mobile_originated_postback_lists_its_files() -> None:
    assert bodies(MO) == (
        (
            f"{XML}<postback><origin>MMS_MO</origin><code>N401</code><from>14082257140</from><to>28444</to>"
            "<keyword>all</keyword><tracking-id>TU1TXzU5Nzg3OQ==</tracking-id><operator-id>31002</operator-id>"
            "<timestamp>2026-11-22T12:57:35+00:00</timestamp><message-subject>Grüße &lt;3</message-subject>"
            "<content><file>https://mms.example/mo/1.jpg</file><file>https://mms.example/mo/2.txt?a=1&amp;b=2</file>"
            "</content></postback>"
        ),
        (
            f"{XML}<POSTBACK><ORIGIN>MMS_MO</ORIGIN><CODE>N401</CODE><FROM>14082257140</FROM><TO>28444</TO>"
            "<KEYWORD>all</KEYWORD><TRACKINGID>TU1TXzU5Nzg3OQ==</TRACKINGID><SPID>31002</SPID>"
            "<TIMESTAMP>2026-11-22T12:57:35+00:00</TIMESTAMP><SUBJECT>Grüße &lt;3</SUBJECT>"
            "<CONTENT><FILE>https://mms.example/mo/1.jpg</FILE><FILE>https://mms.example/mo/2.txt?a=1&amp;b=2</FILE>"
            "</CONTENT></POSTBACK>"
        ),
        (
            '{"origin":"MMS_MO","code":"N401","from":"14082257140","to":"28444","keyword":"all",'
            '"tracking-id":"TU1TXzU5Nzg3OQ==","operator-id":"31002","timestamp":"2026-11-22T12:57:35+00:00",'
            '"message-subject":"Grüße <3","content":[{"file":"https://mms.example/mo/1.jpg"},'
            '{"file":"https://mms.example/mo/2.txt?a=1&b=2"}]}'
        ),
    )
