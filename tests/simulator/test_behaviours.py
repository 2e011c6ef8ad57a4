"""What each test number does, seen from the side of the platform."""

import asyncio

import aiohttp
import pytest

from simulator.numbers import BEHAVIOURS, HANDSETS
from tests.simulator.network import Network, message_id, network, sample, status_code

IPHONE = "http://iphonemms.apple.com/iphone/uaprof-2MB.rdf"


def number(behaviour: str, handset: str = "00") -> str:
    return f"1404479{handset}{behaviour}"


async def statuses(net: Network, count: int) -> list[str]:
    return [(await net.vasp.report())["MMStatus"] for _ in range(count)]


@pytest.mark.parametrize("digits", sorted(HANDSETS))
async def test_the_report_on_a_discovery_message_names_the_handset_of_the_number(digits: str) -> None:
    async with network() as net:
        await net.submit(sample("text").to(number("00", digits)))
        report = await net.vasp.report()
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
async def test_the_number_chooses_the_reports(behaviour: str, name: str, expected: list[str]) -> None:
    async with network() as net:
        _, answer = await net.submit(sample(name).to(number(behaviour)))
        assert status_code(answer) == "1000"
        assert await statuses(net, len(expected)) == expected
        assert (await net.log("report"))[0]["number"] == number(behaviour)


@pytest.mark.parametrize(("behaviour", "name"), [("01", "text"), ("16", "text"), ("16", "picture")])
async def test_a_silent_number_is_never_reported(behaviour: str, name: str) -> None:
    async with network() as net:
        _, silent = await net.submit(sample(name).to(number(behaviour), "silent"))
        assert status_code(silent) == "1000"
        _, heard = await net.submit(sample(name).to(number("00"), "heard"))
        assert (await net.vasp.report())["MessageID"] == message_id(heard)
        assert net.vasp.reports.empty()


async def test_reports_of_a_number_may_name_no_handset() -> None:
    async with network() as net:
        await net.submit(sample("text").to(number("04")))
        assert (await net.vasp.report()).handset is None


async def test_the_report_can_come_before_the_answer_to_the_submit() -> None:
    async with network() as net:
        _, answer = await net.submit(sample("picture").to(number("08")))
        early = net.vasp.reports.get_nowait()
        assert message_id(answer).encode() in early


async def test_a_slow_handset_is_reported_after_three_seconds() -> None:
    async with network() as net:
        await net.submit(sample("picture").to(number("15")))
        await net.vasp.report()
        assert net.pauses == [3.0]


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
async def test_a_refused_submit_tells_its_code_and_no_message_id(
    behaviour: str, name: str, code: str, fault: bool
) -> None:
    async with network() as net:
        status, answer = await net.submit(sample(name).to(number(behaviour)))
        assert (status, status_code(answer), b"Fault>" in answer) == (500 if fault else 200, code, fault)
        assert b"MessageID" not in answer
        assert (await net.last_submit())["message_id"] is None


async def test_partial_success_is_taken() -> None:
    async with network() as net:
        _, answer = await net.submit(sample("picture").to(number("75")))
        assert status_code(answer) == "1100"
        assert (await net.vasp.report())["MessageID"] == message_id(answer)


@pytest.mark.parametrize(
    ("behaviour", "answers"),
    [("11", [500, 200]), ("12", [500, 200]), ("13", [500, 500, 500]), ("21", [503, 503, 200])],
)
async def test_trouble_lasts_for_the_first_tries_of_a_transaction(behaviour: str, answers: list[int]) -> None:
    request = sample("picture").to(number(behaviour))
    async with network() as net:
        assert [(await net.submit(request))[0] for _ in answers] == answers


async def test_each_transaction_meets_the_trouble_anew() -> None:
    async with network() as net:
        for transaction in ("one", "two"):
            request = sample("picture").to(number("11"), transaction)
            assert [(await net.submit(request))[0] for _ in range(2)] == [500, 200]


async def test_http_500_comes_without_soap() -> None:
    async with network() as net:
        assert b"Envelope" not in (await net.submit(sample("picture").to(number("11"))))[1]


async def test_a_reset_before_reading_leaves_nothing_taken_and_the_second_try_works() -> None:
    request = sample("picture").to(number("09"))
    async with network() as net:
        with pytest.raises(aiohttp.ClientError):
            await net.submit(request)
        assert (await net.last_submit())["message_id"] is None
        _, answer = await net.submit(request)
        assert (await net.vasp.report())["MessageID"] == message_id(answer)
        assert [entry["duplicate"] for entry in await net.log("submit")] == [False, False]


async def test_a_reset_before_reading_happens_while_a_long_request_is_still_being_written() -> None:
    request = sample("picture").to(number("09"))
    head = f"POST /mm7 HTTP/1.1\r\nHost: mmsc\r\nContent-Type: {request.headers['Content-Type']}\r\n"
    async with network() as net:
        reader, writer = await asyncio.open_connection(net.client.host, net.client.port)
        writer.write(f"{head}Content-Length: 50000000\r\n\r\n".encode() + request.body[:-200])
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_a_reset_after_reading_has_the_message_taken_and_reported() -> None:
    request = sample("picture").to(number("10"))
    async with network() as net:
        with pytest.raises(aiohttp.ClientError):
            await net.submit(request)
        taken = (await net.last_submit())["message_id"]
        assert (await net.vasp.report())["MessageID"] == taken
        assert message_id((await net.submit(request))[1]) == taken


async def test_a_hanging_number_answers_nothing_for_two_minutes_and_delivers_nothing() -> None:
    async with network() as net:
        with pytest.raises(aiohttp.ClientError):
            await net.submit(sample("picture").to(number("14")))
        assert net.pauses == [120.0]
        assert (await net.last_submit())["message_id"] is None


async def test_a_web_page_for_an_answer_hides_that_the_message_was_taken() -> None:
    async with network() as net:
        status, answer = await net.submit(sample("picture").to(number("22")))
        assert (status, answer) == (200, b"<html><h1>It works!</h1></html>")
        assert (await net.vasp.report())["MessageID"] == (await net.last_submit())["message_id"]


async def test_a_held_discovery_message_is_answered_when_released() -> None:
    async with network() as net:
        await net.submit(sample("text").to(number("17"), "held"))
        await net.submit(sample("text").to(number("00"), "free"))
        assert (await net.vasp.report())["Recipient"] == f"+{number('00')}"
        async with net.client.post("/control/release", params={"number": number("17")}) as answer:
            assert await answer.json() == {"released": 1}
        assert (await net.vasp.report())["Recipient"] == f"+{number('17')}"


async def test_releasing_a_number_that_holds_nothing_releases_nothing() -> None:
    async with network() as net, net.client.post("/control/release", params={"number": "1"}) as answer:
        assert await answer.json() == {"released": 0}


async def feel(net: Network, mood: str) -> int:
    async with net.client.post("/control/mood", params={"name": mood}) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("mood", "taken", "waits"),
    [("hangs", False, [120.0]), ("resets-unread", False, []), ("resets-taken", True, [0.1])],
)
async def test_a_mood_of_the_mmsc_breaks_every_submit_until_it_is_well_again(
    mood: str, taken: bool, waits: list[float]
) -> None:
    async with network() as net:
        assert await feel(net, mood) == 200
        with pytest.raises(aiohttp.ClientError):
            await net.submit(sample("picture").to(number("00")))
        assert bool((await net.last_submit())["message_id"]) == taken
        assert net.pauses == waits
        await feel(net, "well")
        assert status_code((await net.submit(sample("picture").to(number("00"), "tx-2")))[1]) == "1000"


async def test_a_slow_mmsc_answers_late_and_takes_what_it_is_sent() -> None:
    async with network() as net:
        await feel(net, "slow")
        _, answer = await net.submit(sample("picture").to(number("00")))
        assert (status_code(answer), sorted(net.pauses)) == ("1000", [0.1, 2.0])


async def test_an_mmsc_that_reports_twice_repeats_each_report() -> None:
    async with network() as net:
        await feel(net, "reports-twice")
        await net.submit(sample("picture").to(number("19")))
        assert await statuses(net, 6) == ["Forwarded"] * 2 + ["Deferred"] * 2 + ["Retrieved"] * 2


async def test_an_unknown_mood_is_refused() -> None:
    async with network() as net:
        assert await feel(net, "cheerful") == 400


def test_every_behaviour_tells_its_story_and_no_two_tell_the_same() -> None:
    assert len({behaviour.story for behaviour in BEHAVIOURS.values()}) == len(BEHAVIOURS)
    assert all(len(digits) == 2 and digits.isdecimal() for digits in BEHAVIOURS | HANDSETS)
