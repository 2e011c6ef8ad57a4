"""Tests of responses and Faults to an MMSC, byte for byte."""

from pathlib import Path

import pytest

from mms.mm7.requests import read_request, write_fault, write_response
from mms.mm7.soap import REL_5, REL_6, SCHEMAS

SAMPLES = Path(__file__).parent.parent / "samples" / "mm7"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "transaction_id", "namespace", "version", "response"),
    [
        ("report-plain.xml", "90210077", REL_6, "6.8.0", "DeliveryReportRsp"),
        ("report-gb2312.xml", "040512203001", REL_5, "5.3.0", "DeliveryReportRsp"),
        ("deliver-multipart-lf.txt", "vas00324-dlvr", REL_5, "5.6.0", "DeliverRsp"),
        ("read-reply.xml", "rr-77", SCHEMAS + "REL-6-MM7-1-2", "6.5.0", "ReadReplyRsp"),
    ],
)
def test_response_uses_namespace_and_version_of_the_request(
    name: str, transaction_id: str, namespace: str, version: str, response: str
) -> None:
    assert (
        write_response(read_request("", sample(name)))
        == (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>'
            f'<mm7:TransactionID xmlns:mm7="{namespace}" env:mustUnderstand="1">{transaction_id}'
            f'</mm7:TransactionID></env:Header><env:Body><{response} xmlns="{namespace}">'
            f"<MM7Version>{version}</MM7Version><Status><StatusCode>1000</StatusCode>"
            f"<StatusText>Success</StatusText></Status></{response}></env:Body></env:Envelope>"
        ).encode()
    )


@pytest.mark.parametrize(
    ("namespace", "version"), [(REL_5, "5.3.0"), (REL_6, "6.8.0"), ("", "6.8.0"), ("urn:carrier", "6.8.0")]
)
def test_missing_version_defaults_to_that_of_the_schema(namespace: str, version: str) -> None:
    report = f"<ReadReplyReq xmlns='{namespace}'><MessageID>m</MessageID></ReadReplyReq>"
    request = read_request("text/xml", f"<Envelope><Body>{report}</Body></Envelope>".encode())
    assert f"<MM7Version>{version}<".encode() in write_response(request)


@pytest.mark.parametrize(("code", "side"), [(2007, "Client"), (4003, "Server"), (3000, "Server")])
def test_fault_contains_a_vasp_error_response(code: int, side: str) -> None:
    assert (
        write_fault("t<1>", code, "no & never", REL_5)
        == (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>'
            f'<mm7:TransactionID xmlns:mm7="{REL_5}" env:mustUnderstand="1">t&lt;1&gt;</mm7:TransactionID>'
            f"</env:Header><env:Body><env:Fault><faultcode>env:{side}</faultcode><faultstring>{side} error"
            f'</faultstring><detail><VASPErrorRsp xmlns="{REL_5}"><MM7Version>5.3.0</MM7Version><Status>'
            f"<StatusCode>{code}</StatusCode><StatusText>no &amp; never</StatusText></Status></VASPErrorRsp>"
            "</detail></env:Fault></env:Body></env:Envelope>"
        ).encode()
    )


def test_fault_without_transaction_omits_the_transaction_id() -> None:
    assert b"<env:Header></env:Header>" in write_fault("", 2007, "the body is not XML")
