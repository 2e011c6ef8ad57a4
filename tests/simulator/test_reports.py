"""Delivery reports on the wire, and their retries when the VASP does not accept them."""

import re

from tests.simulator.network import MM7, message_id, network, sample


async def test_report_has_its_elements_in_schema_order() -> None:
    async with network() as net:
        _, answer = await net.submit(sample("text").to("14044790300"))
        report = await net.vasp.next_report()
        transaction = re.findall(rb">([0-9a-f]{32})</mm7:TransactionID>", report.body)[0]
        assert report.body == (
            b'<?xml version="1.0" encoding="UTF-8"?>\n'
            b'<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Header>'
            b'<mm7:TransactionID xmlns:mm7="%b" env:mustUnderstand="1">%b</mm7:TransactionID>'
            b"</env:Header><env:Body>"
            b'<DeliveryReportReq xmlns="%b"><MM7Version>6.8.0</MM7Version>'
            b"<MMSRelayServerID>simulator</MMSRelayServerID><MessageID>%b</MessageID>"
            b"<Recipient><Number>+14044790300</Number></Recipient>"
            b"<Sender><ShortCode>28444</ShortCode></Sender>"
            b'<Date>%b</Date><MMStatus>Retrieved</MMStatus><UACapabilities UAProf="motol7c"/>'
            b"</DeliveryReportReq></env:Body></env:Envelope>"
        ) % (
            MM7.encode(),
            transaction,
            MM7.encode(),
            message_id(answer).encode(),
            report["Date"].encode(),
        )


async def test_sender_and_recipient_can_be_swapped() -> None:
    async with network() as net:
        await net.submit(sample("picture").to("14044790028"))
        report = await net.vasp.next_report()
        assert (report["Recipient"], report["Sender"]) == ("28444", "+14044790028")


async def test_report_can_be_loosely_formatted() -> None:
    async with network() as net:
        await net.submit(sample("picture").to("14044790029"))
        report = await net.vasp.next_report()
        assert b"<MMStatus>retrieved</MMStatus>" in report.body
        assert b"<Number>+14044790029/TYPE=PLMN</Number>" in report.body
        assert b"<Date>" not in report.body
        assert b"<mm7:DeliveryReportReq xmlns:mm7=" in report.body


async def test_report_answered_503_is_repeated_unchanged() -> None:
    async with network(503, 503) as net:
        await net.submit(sample("text"))
        assert len({(await net.vasp.next_report()).body for _ in range(3)}) == 1
        [entry] = await net.log("report", wait=5)
        assert (entry["attempts"], entry["http_status"], entry["status_code"]) == (3, 200, 1000)
        assert net.delays == [0.1, 0.5, 1.0]


async def test_report_answered_500_is_dropped() -> None:
    async with network(500) as net:
        await net.submit(sample("text"))
        [entry] = await net.log("report", wait=5)
        assert (entry["attempts"], entry["http_status"], entry["status_code"]) == (1, 500, None)


async def test_unreachable_vasp_is_retried_until_the_delays_end() -> None:
    async with network(report_url="http://127.0.0.1:1/reports") as net:
        await net.submit(sample("text"))
        [entry] = await net.log("report", wait=5)
        assert (entry["attempts"], entry["http_status"]) == (7, None)
        assert "ClientConnectorError" in entry["error"]


async def test_credentials_in_the_report_url_are_sent() -> None:
    async with network(report_user="mmsc") as net:
        await net.submit(sample("text"))
        await net.vasp.next_report()
        assert net.vasp.authorization == "Basic bW1zYzo="
