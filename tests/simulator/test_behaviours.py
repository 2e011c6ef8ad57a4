"""Behaviour of each test number, as observed by the platform."""

import asyncio

import aiohttp
import pytest

from simulator.numbers import BEHAVIOURS, HANDSETS
from tests.simulator.network import Network, message_id, network, sample, status_code

IPHONE = "http://iphonemms.apple.com/iphone/uaprof-2MB.rdf"


def number(behaviour: str, handset: str = "00") -> str:
    return f"1404479{handset}{behaviour}"


async def statuses(net: Network, count: int) -> list[str]:
    return [(await net.vasp.next_report())["MMStatus"] for _ in range(count)]


@pytest.mark.parametrize("digits", sorted(HANDSETS))
async def test_ddm_report_names_the_handset_of_the_number(digits: str) -> None:
    async with network() as net:
        await net.submit(sample("text").to(number("00", digits)))
        report = await net.vasp.next_report()
        assert report["MMStatus"] == "Retrieved"
        assert report.handset == HANDSETS[digits].identity


@pytest.mark.parametrize(
    ("behaviour", "name", "expected"),
    [
        ("00", "picture", ["Retrieved"]),
        ("01", "picture", ["Retrieved"]),
        ("02", "picture", ["Retrieved"]),
        ("03", "text", ["Expired"]),
        ("03", "picture", ["Retrieved"]),
        ("05", "text", ["Retrieved"]),
        ("05", "picture", ["Rejected"]),
        ("06", "picture", ["Expired"]),
        ("07", "picture", ["Retrieved", "Retrieved"]),
        ("18", "text", ["Retrieved", "Retrieved"]),
        ("19", "picture", ["Forwarded", "Deferred", "Retrieved"]),
        ("20", "picture", ["Rejected", "Expired"]),
        ("23", "picture", ["Unreachable"]),
        ("24", "picture", ["NotSupported"]),
        ("25", "picture", ["Unrecognised"]),
        ("26", "picture", ["Indeterminate"]),
        ("27", "picture", ["Delivery condition not met"]),
        ("29", "picture", ["retrieved"]),
        ("35", "text", ["Rejected"]),
        ("36", "text", ["Expired"]),
        ("36", "picture", ["Retrieved"]),
        ("99", "picture", ["Retrieved"]),
    ],
)
async def test_number_selects_the_reports(behaviour: str, name: str, expected: list[str]) -> None:
    async with network() as net:
        _, answer = await net.submit(sample(name).to(number(behaviour)))
        assert status_code(answer) == "1000"
        assert await statuses(net, len(expected)) == expected
        assert (await net.log("report"))[0]["number"] == number(behaviour)


@pytest.mark.parametrize(("behaviour", "name"), [("01", "text"), ("16", "text"), ("16", "picture")])
async def test_number_without_report_sends_none(behaviour: str, name: str) -> None:
    async with network() as net:
        _, unreported = await net.submit(sample(name).to(number(behaviour), "unreported"))
        assert status_code(unreported) == "1000"
        _, reported = await net.submit(sample(name).to(number("00"), "reported"))
        assert (await net.vasp.next_report())["MessageID"] == message_id(reported)
        assert net.vasp.reports.empty()


async def test_report_can_omit_the_handset() -> None:
    async with network() as net:
        await net.submit(sample("text").to(number("04")))
        assert (await net.vasp.next_report()).handset is None


async def test_report_can_precede_the_submit_response() -> None:
    async with network() as net:
        _, answer = await net.submit(sample("picture").to(number("08")))
        early = net.vasp.reports.get_nowait()
        assert message_id(answer).encode() in early


async def test_slow_handset_is_reported_after_three_seconds() -> None:
    async with network() as net:
        await net.submit(sample("picture").to(number("15")))
        await net.vasp.next_report()
        assert net.delays == [3.0]


@pytest.mark.parametrize(
    ("behaviour", "name", "code", "fault"),
    [
        ("02", "text", "2001", True),
        ("12", "picture", "3000", True),
        ("13", "picture", "2004", True),
        ("43", "text", "2004", True),
        ("60", "picture", "2000", False),
        ("64", "picture", "2004", False),
        ("70", "picture", "3000", False),
        ("79", "picture", "9999", False),
        ("88", "picture", "4008", False),
    ],
)
async def test_refused_submit_has_a_code_and_no_message_id(behaviour: str, name: str, code: str, fault: bool) -> None:
    async with network() as net:
        status, answer = await net.submit(sample(name).to(number(behaviour)))
        assert (status, status_code(answer), b"Fault>" in answer) == (500 if fault else 200, code, fault)
        assert b"MessageID" not in answer
        assert (await net.last_submit())["message_id"] is None


async def test_partial_success_is_accepted() -> None:
    async with network() as net:
        _, answer = await net.submit(sample("picture").to(number("75")))
        assert status_code(answer) == "1100"
        assert (await net.vasp.next_report())["MessageID"] == message_id(answer)


@pytest.mark.parametrize(
    ("behaviour", "answers"),
    [("11", [500, 200]), ("12", [500, 200]), ("13", [500, 500, 500]), ("21", [503, 503, 200])],
)
async def test_failure_affects_the_first_attempts_of_a_transaction(behaviour: str, answers: list[int]) -> None:
    request = sample("picture").to(number(behaviour))
    async with network() as net:
        assert [(await net.submit(request))[0] for _ in answers] == answers


async def test_failure_repeats_for_each_transaction() -> None:
    async with network() as net:
        for transaction in ("one", "two"):
            request = sample("picture").to(number("11"), transaction)
            assert [(await net.submit(request))[0] for _ in range(2)] == [500, 200]


async def test_http_500_has_no_soap_body() -> None:
    async with network() as net:
        assert b"Envelope" not in (await net.submit(sample("picture").to(number("11"))))[1]


async def test_reset_before_read_accepts_nothing_until_the_retry() -> None:
    request = sample("picture").to(number("09"))
    async with network() as net:
        with pytest.raises(aiohttp.ClientError):
            await net.submit(request)
        assert (await net.last_submit())["message_id"] is None
        _, answer = await net.submit(request)
        assert (await net.vasp.next_report())["MessageID"] == message_id(answer)
        assert [entry["duplicate"] for entry in await net.log("submit")] == [False, False]


async def test_reset_before_read_interrupts_a_long_request() -> None:
    request = sample("picture").to(number("09"))
    head = f"POST /mm7 HTTP/1.1\r\nHost: mmsc\r\nContent-Type: {request.headers['Content-Type']}\r\n"
    async with network() as net:
        reader, writer = await asyncio.open_connection(net.client.host, net.client.port)
        writer.write(f"{head}Content-Length: 50000000\r\n\r\n".encode() + request.body[:-200])
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_reset_after_accept_delivers_and_reports_the_message() -> None:
    request = sample("picture").to(number("10"))
    async with network() as net:
        with pytest.raises(aiohttp.ClientError):
            await net.submit(request)
        accepted = (await net.last_submit())["message_id"]
        assert (await net.vasp.next_report())["MessageID"] == accepted
        assert message_id((await net.submit(request))[1]) == accepted


async def test_hanging_number_neither_answers_nor_delivers() -> None:
    async with network() as net:
        with pytest.raises(aiohttp.ClientError):
            await net.submit(sample("picture").to(number("14")))
        assert net.delays == [120.0]
        assert (await net.last_submit())["message_id"] is None


async def test_web_page_response_still_accepts_the_message() -> None:
    async with network() as net:
        status, answer = await net.submit(sample("picture").to(number("22")))
        assert (status, answer) == (200, b"<html><h1>It works!</h1></html>")
        assert (await net.vasp.next_report())["MessageID"] == (await net.last_submit())["message_id"]


async def test_held_ddm_is_reported_when_released() -> None:
    async with network() as net:
        await net.submit(sample("text").to(number("17"), "held"))
        await net.submit(sample("text").to(number("00"), "free"))
        assert (await net.vasp.next_report())["Recipient"] == f"+{number('00')}"
        async with net.client.post("/control/release", params={"number": number("17")}) as answer:
            assert await answer.json() == {"released": 1}
        assert (await net.vasp.next_report())["Recipient"] == f"+{number('17')}"


async def test_release_without_held_messages_releases_none() -> None:
    async with network() as net, net.client.post("/control/release", params={"number": "1"}) as answer:
        assert await answer.json() == {"released": 0}


async def set_mode(net: Network, mode: str) -> int:
    async with net.client.post("/control/mode", params={"name": mode}) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("mode", "accepted", "delays"),
    [("hang", False, [120.0]), ("reset-before-read", False, []), ("reset-after-accept", True, [0.1])],
)
async def test_failure_mode_breaks_every_submit_until_reset_to_normal(
    mode: str, accepted: bool, delays: list[float]
) -> None:
    async with network() as net:
        assert await set_mode(net, mode) == 200
        with pytest.raises(aiohttp.ClientError):
            await net.submit(sample("picture").to(number("00")))
        assert bool((await net.last_submit())["message_id"]) == accepted
        assert net.delays == delays
        await set_mode(net, "normal")
        assert status_code((await net.submit(sample("picture").to(number("00"), "tx-2")))[1]) == "1000"


async def test_slow_mmsc_answers_late_and_accepts_the_message() -> None:
    async with network() as net:
        await set_mode(net, "slow")
        _, answer = await net.submit(sample("picture").to(number("00")))
        assert (status_code(answer), sorted(net.delays)) == ("1000", [0.1, 2.0])


async def test_duplicate_reports_mode_repeats_each_report() -> None:
    async with network() as net:
        await set_mode(net, "duplicate-reports")
        await net.submit(sample("picture").to(number("19")))
        assert await statuses(net, 6) == ["Forwarded"] * 2 + ["Deferred"] * 2 + ["Retrieved"] * 2


async def test_unknown_mode_gets_400() -> None:
    async with network() as net:
        assert await set_mode(net, "cheerful") == 400


def test_behaviour_descriptions_are_unique() -> None:
    assert len({behaviour.description for behaviour in BEHAVIOURS.values()}) == len(BEHAVIOURS)
    assert all(len(digits) == 2 and digits.isdecimal() for digits in BEHAVIOURS | HANDSETS)
