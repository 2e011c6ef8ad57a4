"""The customer server behaves as selected by the URL."""

import pytest

from tests.simulator.network import Network, network

POSTBACK = (
    "<?xml version='1.0' encoding='UTF-8'?><postback><origin>MMS_MT</origin><code>N101</code>"
    "<to>14044790000</to><tracking-id>abc</tracking-id></postback>"
)


async def post(net: Network, name: str, body: str = POSTBACK, event: str = "event-1") -> int:
    headers = {"Content-Type": "text/xml; charset=utf-8", "X-Event-Id": event}
    address = f"/postbacks/{name}"
    async with net.client.post(address, data=body, headers=headers, allow_redirects=False) as answer:
        return answer.status


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("ok", [200, 200]),
        ("ok-acme", [200]),
        ("anything", [200]),
        ("fail", [500, 500]),
        ("fail-acme", [500]),
        ("flaky", [500, 200, 200]),
        ("redirect", [302]),
    ],
)
async def test_url_selects_the_responses(name: str, answers: list[int]) -> None:
    async with network() as net:
        assert [await post(net, name) for _ in answers] == answers


async def test_flaky_server_fails_once_per_event() -> None:
    async with network() as net:
        assert [await post(net, "flaky", event=event) for event in ("a", "b", "a", "b")] == [
            500,
            500,
            200,
            200,
        ]


async def test_hanging_server_does_not_respond_for_two_minutes() -> None:
    async with network() as net:
        assert await post(net, "hang") == 504
        assert net.delays == [120.0]
        assert [entry["status"] for entry in await net.log("postback")] == [None]


async def test_postback_is_logged_with_its_fields_in_order() -> None:
    async with network() as net:
        await post(net, "ok")
        [entry] = await net.log("postback", number="14044790000")
        assert list(entry["fields"].items()) == [
            ("origin", "MMS_MT"),
            ("code", "N101"),
            ("to", "14044790000"),
            ("tracking-id", "abc"),
        ]
        assert entry["body"] == POSTBACK
        assert entry["headers"]["X-Event-Id"] == "event-1"


async def test_json_postback_is_parsed() -> None:
    async with network() as net:
        await post(net, "ok", '{"code": "N102", "to": "+14044790001"}')
        [entry] = await net.log("postback", number="14044790001")
        assert entry["fields"] == {"code": "N102", "to": "+14044790001"}


@pytest.mark.parametrize("body", ["", "<postback>", "[1]", "\x00", "<!DOCTYPE a><a/>"])
async def test_malformed_postback_is_logged(body: str) -> None:
    async with network() as net:
        assert await post(net, "ok", body) == 200
        [entry] = await net.log("postback")
        assert (entry["body"], entry["fields"], entry["number"]) == (body, {}, "")
