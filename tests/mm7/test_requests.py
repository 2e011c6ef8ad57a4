"""Tests of MMSC requests, from captured and malformed samples."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mms.mm7.requests import (
    DeliverReq,
    DeliveryReportReq,
    ReadReplyReq,
    digits,
    read_request,
)
from mms.mm7.soap import REL_5, REL_6, SCHEMAS
from mms.protocol.reports import ReportStatus

SAMPLES = Path(__file__).parent.parent / "samples" / "mm7"
XML = "text/xml; charset=utf-8"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def report(fields: str, content_type: str = XML) -> DeliveryReportReq:
    """Parse a report with these fields after MessageID and MMStatus."""
    xml = (
        "<Envelope><Header><TransactionID>t</TransactionID></Header><Body><DeliveryReportReq>"
        f"<MessageID>m</MessageID><MMStatus>Retrieved</MMStatus>{fields}"
        "</DeliveryReportReq></Body></Envelope>"
    )
    request = read_request(content_type, xml.encode())
    assert isinstance(request, DeliveryReportReq)
    return request


REPORTS = {
    "report-plain.xml": DeliveryReportReq(
        transaction_id="90210077",
        version="6.8.0",
        namespace=REL_6,
        message_id="571200617770812345",
        recipients=("14044790000",),
        senders=("28444",),
        date=datetime(2024, 3, 16, 14, 3, 51, 749000, UTC),
        status=ReportStatus.RETRIEVED,
        raw_status="Retrieved",
        status_text="Success",
        handset="http://wap.samsungmobile.com/uaprof/SM-A300FU.xml",
    ),
    "report-utf16-declared.xml": DeliveryReportReq(
        transaction_id="8c1fd0e36a25",
        version="5.3.0",
        namespace=SCHEMAS + "REL-5-MM7-1-2",
        message_id="chi-77-é",
        recipients=("13125550123",),
        senders=("28444",),
        date=datetime(2024, 3, 16, 14, 3, 51, tzinfo=UTC),
        status=ReportStatus.REJECTED,
        raw_status="Rejected",
        status_text="Error 612 - Content blocked [ref: 40]",
        handset=None,
    ),
    "report-euc-kr.xml": DeliveryReportReq(
        transaction_id="-5a60-86d4:1912",
        version="5.3.0",
        namespace=SCHEMAS + "REL-5-MM7-1-2",
        message_id="65_20240805222251_B_412",
        recipients=("01054700000",),
        senders=("01083020000",),
        date=datetime(2024, 8, 5, 13, 22, 54, tzinfo=UTC),
        status=ReportStatus.RETRIEVED,
        raw_status="Retrieved",
        status_text="전송 성공",
        handset=None,
    ),
    "report-gb2312.xml": DeliveryReportReq(
        transaction_id="040512203001",
        version="5.3.0",
        namespace=REL_5,
        message_id="040512203001920003",
        recipients=("8613800000000",),
        senders=("106573000",),
        date=datetime(2024, 5, 12, 20, 30, 1, tzinfo=UTC),
        status=ReportStatus.EXPIRED,
        raw_status="Expired",
        status_text="用户关机",
        handset=None,
    ),
    "report-rfc2822.xml": DeliveryReportReq(
        transaction_id="0412a7ff01@mm7",
        version="6.8.0",
        namespace=REL_6,
        message_id="0412a7ff01",
        recipients=("61400000001",),
        senders=("61480000002",),
        date=datetime(2024, 2, 29, 13, 59, 59, tzinfo=UTC),
        status=ReportStatus.RETRIEVED,
        raw_status="Retrieved",
        status_text="The message was retrieved by the recipient",
        handset="iphone_12",
    ),
    "report-undeclared-prefixes.xml": DeliveryReportReq(
        transaction_id="vas00001-dr",
        version="5.6.0",
        namespace=REL_6,
        message_id="123-7-ab",
        recipients=("14044790000",),
        senders=("28444",),
        date=datetime(2024, 1, 1, tzinfo=UTC),
        status=ReportStatus.NOT_SUPPORTED,
        raw_status="NOT SUPPORTED",
        status_text="",
        handset="http://wap.example.com/ua?m=VX8000&v=1",
    ),
}


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize(
    "content_type",
    ["text/xml", "", "application/soap+xml; charset=utf-8", "multipart/related; boundary=none"],
)
def test_captured_report_is_read_completely(name: str, content_type: str) -> None:
    assert read_request(content_type, sample(name)) == REPORTS[name]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_bytes_take_precedence_over_declared_encoding(codec: str) -> None:
    body = sample("report-plain.xml").decode().encode(codec)
    assert read_request("text/xml; charset=iso-8859-1", body) == REPORTS["report-plain.xml"]


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/related; boundary="NextPart_000_0125_01C19839.7237929064"; start="<cover>"',
        "multipart/related; boundary=NextPart_000_0125_01C19839.7237929064; start=cover",
        "multipart/related; boundary=another",
        "multipart/related",
        "text/xml",
        "",
    ],
)
@pytest.mark.parametrize("name", ["deliver-multipart-lf.txt", "deliver-multipart-crlf.txt"])
def test_deliver_request_is_read_from_its_multipart(name: str, content_type: str) -> None:
    assert read_request(content_type, sample(name)) == DeliverReq(
        transaction_id="vas00324-dlvr",
        version="5.6.0",
        namespace=REL_5,
        message_id=None,
        recipients=("28444",),
        senders=("97254265781",),
        date=datetime(2024, 4, 15, 19, 35, 21, tzinfo=UTC),
        linked_id="wthr8391",
        subject="Weather & tides",
    )


def test_envelope_is_the_part_named_by_start() -> None:
    body = (
        b"--b\r\nContent-Type: application/smil\r\n\r\n<smil/>\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\nContent-ID: <root>\r\n\r\n"
        + sample("report-plain.xml")
        + b"\r\n--b--\r\n"
    )
    request = read_request('multipart/related; boundary=b; start="<root>"', body)
    assert request == REPORTS["report-plain.xml"]


def test_envelope_is_the_first_xml_part_without_start() -> None:
    body = (
        b"--b\r\nContent-Type: image/gif\r\n\r\nGIF89a\r\n--b\r\nContent-Type: Text/XML\r\n\r\n"
        + sample("report-plain.xml")
        + b"\r\n--b--\r\n"
    )
    assert read_request("multipart/related; boundary=b", body) == REPORTS["report-plain.xml"]


def test_base64_envelope_is_read() -> None:
    body = (
        b"--b\r\nContent-Type: text/xml\r\nContent-Transfer-Encoding: Base64\r\n\r\n"
        + base64.encodebytes(sample("report-plain.xml"))
        + b"--b--"
    )
    assert read_request("multipart/related; boundary=b", body) == REPORTS["report-plain.xml"]


def test_read_reply_is_read() -> None:
    assert read_request(XML, sample("read-reply.xml")) == ReadReplyReq(
        transaction_id="rr-77",
        version="6.5.0",
        namespace=SCHEMAS + "REL-6-MM7-1-2",
        message_id="123456",
        recipients=("28444",),
        senders=("14044790000",),
        date=datetime(2024, 3, 16, 14, 10, tzinfo=UTC),
        raw_status="Read",
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("14044790000", "14044790000"),
        ("+14044790000", "14044790000"),
        (" + 1 (404) 479-0000\n", "14044790000"),
        ("tel:+1-404-479-0000", "14044790000"),
        ("TEL:14044790000", "14044790000"),
        ("+14044790000/TYPE=PLMN", "14044790000"),
        ("+14044790000/type=plmn@mms.example.net", "14044790000"),
        ("14044790000@mms.example.net", "14044790000"),
        ("28444", "28444"),
        ("bill99@example.net", ""),
        ("/TYPE=PLMN", ""),
        ("ACME", ""),
        ("1404479000000000", ""),
        ("", ""),
    ],
)
def test_number_is_reduced_to_digits_in_every_notation(address: str, expected: str) -> None:
    assert digits(address) == expected


@pytest.mark.parametrize(
    ("fields", "recipients", "senders"),
    [
        ("<Recipient>+14044790000</Recipient><Sender>28444</Sender>", ("14044790000",), ("28444",)),
        ("<To>+14044790000</To>", ("14044790000",), ()),
        ("<Recipient><To><Number>14044790000</Number></To></Recipient>", ("14044790000",), ()),
        (
            "<Recipients><To><Number>14044790000</Number></To><Cc><Number>14044790001</Number></Cc></Recipients>",
            ("14044790000", "14044790001"),
            (),
        ),
        (
            "<Recipient><ShortCode>28444</ShortCode></Recipient><Sender><Number>14044790000</Number></Sender>",
            ("28444",),
            ("14044790000",),
        ),
        ("<Recipient><Number/></Recipient><Sender/>", (), ()),
        ("<Recipient><RFC2822Address>bill99@example.net</RFC2822Address></Recipient>", (), ()),
    ],
)
def test_numbers_are_found_at_any_depth(fields: str, recipients: tuple[str, ...], senders: tuple[str, ...]) -> None:
    request = report(fields)
    assert (request.recipients, request.senders) == (recipients, senders)


@pytest.mark.parametrize(
    ("fields", "handset"),
    [
        ('<UACapabilities UAProf="Samsung Galaxy"/>', "Samsung Galaxy"),
        ('<UACapabilities uaprof=" motol7c "/>', "motol7c"),
        ('<uacapabilities UAPROF="Default"/>', "Default"),
        ('<UACapabilities UAProf="" TimeStamp="2024-01-01T00:00:00Z"/>', ""),
        (
            "<UACapabilities>\n SAMSUNG-ANDROID-MMS/SM-A300FU </UACapabilities>",
            "SAMSUNG-ANDROID-MMS/SM-A300FU",
        ),
        (
            "<UACapabilities><UAProf>iphone_12</UAProf><TimeStamp>now</TimeStamp></UACapabilities>",
            "iphone_12",
        ),
        ('<UACapabilities UAProf="http://x.example/?a=1&b=2"/>', "http://x.example/?a=1&b=2"),
        (f'<UACapabilities UAProf="{"x" * 501}"/>', None),
        ("<UACapabilities/>", ""),
        ("", None),
    ],
)
def test_handset_identity_is_read_in_every_notation(fields: str, handset: str | None) -> None:
    assert report(fields).handset == handset


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("<Date>2024-03-16T14:03:51Z</Date>", datetime(2024, 3, 16, 14, 3, 51, tzinfo=UTC)),
        ("<Date>2024-03-16T14:03:51.7490000+01:00</Date>", datetime(2024, 3, 16, 13, 3, 51, 749000, UTC)),
        ("<Date>2024-03-16T14:03:51</Date>", datetime(2024, 3, 16, 14, 3, 51, tzinfo=UTC)),
        ("<TimeStamp>2024-03-16T14:03:51+0000</TimeStamp>", datetime(2024, 3, 16, 14, 3, 51, tzinfo=UTC)),
        ("<Date/><TimeStamp>2024-03-16 14:03</TimeStamp>", datetime(2024, 3, 16, 14, 3, tzinfo=UTC)),
        ("<Date>0001-01-01T00:00:00</Date>", None),
        ("<Date>0001-01-01T00:00:00+14:00</Date>", None),
        ("<Date>9999-12-31T23:59:59-14:00</Date>", None),
        ("<Date>yesterday</Date>", None),
        ("", None),
    ],
)
def test_date_is_utc_or_none(fields: str, expected: datetime | None) -> None:
    assert report(fields).date == expected


def test_status_code_replaces_a_missing_mmstatus() -> None:
    body = (
        b"<Envelope><Body><DeliveryReportReq><MessageID>m</MessageID><Status><StatusCode>1000</StatusCode>"
        b"<StatusText>OK</StatusText></Status></DeliveryReportReq></Body></Envelope>"
    )
    request = read_request(XML, body, {"1000": ReportStatus.RETRIEVED})
    assert isinstance(request, DeliveryReportReq)
    assert (request.status, request.raw_status, request.status_text) == (ReportStatus.RETRIEVED, "1000", "OK")
