"""The simulator may run for days: what it keeps is bounded."""

from simulator.log import Archive, Exchange, Log
from simulator.transactions import Transactions


def exchange(message_id: str, size: int) -> Exchange:
    return Exchange(message_id, "", "", bytes(size), "")


def test_the_log_keeps_the_last_entries() -> None:
    log = Log(keep=3)
    for _ in range(5):
        log.add("submit", number="1")
    assert [entry["seq"] for entry in log.find()] == [3, 4, 5]


def test_the_archive_drops_the_oldest_beyond_its_count() -> None:
    archive = Archive(most=2)
    for seq, name in enumerate("abc", start=1):
        archive.keep(seq, exchange(name, 1))
    assert archive.of_message("a") is None
    assert archive.exchange(1) is None
    assert archive.of_message("c") is archive.exchange(3) is not None


def test_the_archive_drops_the_oldest_beyond_its_bytes() -> None:
    archive = Archive(most_bytes=100)
    archive.keep(1, exchange("a", 60))
    archive.keep(2, exchange("b", 60))
    assert (archive.of_message("a"), archive.of_message("b")) == (None, archive.exchange(2))


def test_a_transaction_is_forgotten_when_many_came_after_it() -> None:
    transactions = Transactions(remembered=2)
    for name in "abc":
        transactions.count(name)
        transactions.take(name)
    assert transactions.message_id("a") is None
    assert transactions.next_try("a") == 1
    assert transactions.next_try("b") == 2
