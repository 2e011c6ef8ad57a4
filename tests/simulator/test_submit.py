"""The MMSC accepts valid submits and refuses others with a specific reason."""

import aiohttp
import pytest

from tests.simulator.network import MM7, Captured, message_id, network, sample, status_code


@pytest.mark.parametrize("name", ["text", "picture", "bare"])
async def test_valid_submit_is_accepted(name: str) -> None:
    async with network() as net:
        status, answer = await net.submit(sample(name))
        assert (status, status_code(answer)) == (200, "1000")


async def test_response_repeats_the_transaction_and_namespace() -> None:
    old = MM7.replace("REL-6-MM7-1-4", "REL-5-MM7-1-0").encode()
    request = sample("text").replacing(MM7.encode(), old).replacing(b"6.8.0", b"5.3.0")
    async with network() as net:
        _, answer = await net.submit(request)
        assert answer == (
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b'<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>'
            b'<mm7:TransactionID xmlns:mm7="%b" env:mustUnderstand="1">tx-ddm-1</mm7:TransactionID>'
            b"</env:Header><env:Body>"
            b'<SubmitRsp xmlns="%b"><MM7Version>5.3.0</MM7Version>'
            b"<Status><StatusCode>1000</StatusCode><StatusText>Success</StatusText></Status>"
            b"<MessageID>%b</MessageID></SubmitRsp></env:Body></env:Envelope>"
        ) % (old, old, message_id(answer).encode())


BROKEN = [
    (b"<MM7Version>6.8.0</MM7Version>", b"", "4002", "MM7Version"),
    (b"<MM7Version>6.8.0", b"<MM7Version>7.1", "4002", "MM7Version"),
    (b"<VASPID>acme</VASPID>", b"", "4001", "VASPID"),
    (b"<ShortCode>28444</ShortCode>", b"", "2002", "SenderAddress"),
    (b"<To><Number>+14044790000</Number></To>", b"", "2002", "Recipients"),
    (b"+14044790000", b"somebody", "2002", "'somebody' is not a telephone number"),
    (b"</Number></To>", b"</Number><Number>+14044790001</Number></To>", "3003", "2 addresses"),
    (b"Spring is here", b"x" * 81, "4004", "Subject is longer than 80"),
    (b"<DeliveryReport>true", b"<DeliveryReport>yes", "4004", "DeliveryReport 'yes'"),
    (b"<Priority>Normal", b"<Priority>Urgent", "4004", "Priority 'Urgent'"),
    (b"2024-05-09T07:08:09Z", b"in three days", "4004", "ExpiryDate"),
    (b"<ServiceCode>12345</ServiceCode>", b"<Color>red</Color>", "4004", "Color is not in the schema"),
    (b"<ServiceCode>12345</ServiceCode>", b"<Subject>first</Subject>", "4004", "out of order"),
    (b' env:mustUnderstand="1"', b"", "4004", "mustUnderstand"),
    (b">tx-picture-1<", b"><", "4004", "TransactionID"),
    (b'<SubmitReq xmlns="http://www.3gpp.org', b'<SubmitReq xmlns="http://example.org', "4004", "namespace"),
    (b"SubmitReq", b"CancelReq", "4003", "CancelReq"),
    (b"</env:Body>", b"", "2007", "not well-formed"),
    (b"<env:Envelope", b"<!DOCTYPE x [<!ENTITY y 'z'>]><env:Envelope", "2007", "document type"),
    (b'href="cid:content@', b'href="cid:other@', "2007", "names no attachment"),
    (b'boundary="inner-28444"; ', b"", "2007", "no boundary"),
    (b"\r\n--inner-28444--", b"", "2007", "closing boundary"),
    (b"--outer-28444--", b"", "2007", "closing boundary"),
    (b"Content-ID: <envelope@", b"Content-ID: <root@", "2007", "start"),
    (b"Content-Type: image/jpeg\r\n", b"", "2007", "no Content-Type"),
    (b"R29vZGJ5ZQ==", b"R29v!!", "2007", "not base64"),
    (b"Content-Transfer-Encoding: binary", b"Content-Transfer-Encoding: x-uuencode", "2007", "x-uuencode"),
    (b'src="picture.jpg"', b'src="painting.jpg"', "2007", "painting.jpg"),
    (b'src="cid:text@', b'src="cid:nobody@', "2007", "nobody"),
    (b'region="Image"', b'region="Margin"', "2007", "Margin"),
    (b'img src="picture.jpg"', b'img src="end.txt"', "2007", "text/plain"),
    (b'dur="3s"', b'dur="soon"', "2007", "soon"),
    (b'width="128"', b'width="wide"', "2007", "wide"),
    (b'id="Image"', b'name="Image"', "2007", "no id"),
    (b"</par></body>", b"</body>", "2007", "SMIL"),
]


@pytest.mark.parametrize(("old", "new", "code", "reason"), BROKEN)
async def test_invalid_submit_gets_a_fault_with_the_reason(old: bytes, new: bytes, code: str, reason: str) -> None:
    async with network() as net:
        status, answer = await net.submit(sample("picture").replacing(old, new))
        assert (status, status_code(answer)) == (500, code)
        assert b"<env:Fault>" in answer
        assert reason in (await net.last_submit())["violation"]


async def test_fault_repeats_the_transaction_of_a_malformed_submit() -> None:
    async with network() as net:
        _, answer = await net.submit(sample("picture").replacing(b"</env:Body>", b""))
        assert b'env:mustUnderstand="1">tx-picture-1</mm7:TransactionID>' in answer


@pytest.mark.parametrize(
    ("content_type", "reason"),
    [
        ("application/soap+xml", "text/xml or multipart/related expected"),
        ('multipart/related; type="text/xml"', "no boundary"),
        ("multipart/related; boundary=outer-28444", "type is not text/xml"),
        ("text/xml", "not well-formed"),
    ],
)
async def test_unexpected_content_type_is_refused(content_type: str, reason: str) -> None:
    request = Captured({"Content-Type": content_type}, sample("picture").body)
    async with network() as net:
        assert (await net.submit(request))[0] == 500
        assert reason in (await net.last_submit())["violation"]


async def test_wrong_credentials_get_401() -> None:
    valid, invalid = (aiohttp.encode_basic_auth("platform", password) for password in ("secret", "guess"))
    async with network(authorization=valid) as net:
        assert (await net.submit(sample("text")))[0] == 401
        for authorization, status in [(invalid, 401), (valid, 200)]:
            headers = sample("text").headers | {"Authorization": authorization}
            assert (await net.submit(Captured(headers, sample("text").body)))[0] == status


async def test_repeated_transaction_is_delivered_once() -> None:
    async with network() as net:
        _, first = await net.submit(sample("picture"))
        _, second = await net.submit(sample("picture"))
        await net.submit(sample("picture").to("14044790000", "another"))
        assert message_id(first) == message_id(second)
        assert [entry["duplicate"] for entry in await net.log("submit")] == [False, True, False]
        reported = {(await net.vasp.next_report())["MessageID"] for _ in range(2)}
        assert message_id(first) in reported
        assert len(reported) == 2


async def test_message_without_report_request_gets_none() -> None:
    async with network() as net:
        await net.submit(sample("picture").replacing(b"<DeliveryReport>true", b"<DeliveryReport>false"))
        _, requested = await net.submit(sample("picture").to("14044790000", "with-report"))
        assert (await net.vasp.next_report())["MessageID"] == message_id(requested)
