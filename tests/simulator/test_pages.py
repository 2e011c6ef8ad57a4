"""Web pages, log and archive of the simulator."""

import json
import re
from pathlib import Path

import pytest

from tests.simulator.network import message_id, network, sample


async def test_log_is_filtered_by_kind_number_and_sequence() -> None:
    async with network() as net:
        await net.submit(sample("text").to("14044790000", "a"))
        await net.submit(sample("text").to("14044790016", "b"))
        first, second = await net.log("submit")
        assert [first["number"], second["number"]] == ["14044790000", "14044790016"]
        assert await net.log("submit", number="14044790016") == [second]
        assert await net.log("submit", since=str(first["seq"])) == [second]
        assert await net.log("postback") == []


async def test_submit_is_logged_with_its_content() -> None:
    async with network() as net:
        await net.submit(sample("picture"))
        entry = await net.last_submit()
        assert entry["handset"] == "iPhone 12"
        assert (entry["ddm"], entry["sender"], entry["subject"]) == (False, "28444", "Spring is here")
        assert entry["transaction_id"] == "tx-picture-1"
        assert [(part["type"], part["name"]) for part in entry["parts"]] == [
            ("application/smil", "mms.smil"),
            ("image/jpeg", "picture.jpg"),
            ("text/plain", "text.txt"),
            ("text/plain", "end.txt"),
        ]
        assert (entry["parts"][1]["width"], entry["parts"][1]["height"]) == (16, 12)
        assert entry["bytes"] == sum(part["bytes"] for part in entry["parts"])


@pytest.mark.parametrize("query", ["since=x", "wait=soon"])
async def test_query_that_is_not_a_number_gets_400(query: str) -> None:
    async with network() as net, net.client.get(f"/log?{query}") as answer:
        assert answer.status == 400
        assert "is not a number" in await answer.text()


async def test_message_parts_are_served_sandboxed() -> None:
    async with network() as net:
        _, submitted = await net.submit(sample("picture"))
        async with net.client.get(f"/messages/{message_id(submitted)}/parts/2") as answer:
            assert await answer.text() == "Voilà: 20 % off until Sunday."
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        for address in (f"{message_id(submitted)}/parts/4", "unknown/parts/0"):
            async with net.client.get(f"/messages/{address}") as answer:
                assert answer.status == 404


async def test_raw_exchange_omits_pictures_and_credentials() -> None:
    async with network() as net:
        request = sample("picture")
        request.headers["Authorization"] = "Basic c2VjcmV0"
        await net.submit(request)
        async with net.client.get("/submits/1/mm7") as answer:
            raw = await answer.json()
        assert "<Subject>Spring is here</Subject>" in raw["request"]
        assert "[632 bytes]" in raw["request"]
        assert "Voilà" in raw["request"]
        assert "c2VjcmV0" not in raw["request"]
        assert "<StatusCode>1000</StatusCode>" in raw["answer"]


async def test_raw_exchange_shows_a_malformed_request_verbatim() -> None:
    async with network() as net:
        await net.submit(sample("picture").replacing(b"--outer-28444--", b""))
        async with net.client.get("/submits/1/mm7") as answer:
            assert "--outer-28444\r\nContent-Type: text/xml" in (await answer.json())["request"]


@pytest.mark.parametrize("address", ["/", "/postbacks"])
async def test_pages_load_no_external_resources(address: str) -> None:
    async with network() as net:
        async with net.client.get(address) as answer:
            page = await answer.text()
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
        loaded = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
        assert loaded
        for asset in loaded:
            async with net.client.get(asset) as answer:
                assert answer.status == 200
                assert "innerHTML" not in await answer.text()
        assert "://" not in page


async def test_table_of_numbers_is_served() -> None:
    async with network() as net, net.client.get("/numbers") as answer:
        table = await answer.json()
        assert table["handsets"]["03"]["identity"] == "motol7c"
        assert table["behaviours"]["64"] == "content is answered with status 2004"


async def test_pictures_are_served_from_their_directory_only(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "beach.jpg").write_bytes(b"jpeg")
    (tmp_path / "secret.txt").write_text("secret")
    async with network(pictures=tmp_path / "pictures") as net:
        async with net.client.get("/pictures/beach.jpg") as answer:
            assert (answer.content_type, await answer.read()) == ("image/jpeg", b"jpeg")
        async with net.client.get("/pictures/%2e%2e/secret.txt") as answer:
            assert answer.status in {403, 404}


async def test_log_file_has_one_line_per_entry(tmp_path: Path) -> None:
    path = tmp_path / "network.jsonl"
    async with network(log_file=path) as net:
        await net.submit(sample("text"))
        await net.log("report", wait=5)
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(entry["seq"], entry["kind"]) for entry in entries] == [(1, "submit"), (2, "report")]
