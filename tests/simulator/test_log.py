"""Log, archive and transactions are bounded, so that the simulator can run for days."""

from simulator.log import Archive, Exchange, Log
from simulator.transactions import Transactions


def exchange(message_id: str, size: int) -> Exchange:
    return Exchange(message_id, "", "", bytes(size), "")


def test_log_keeps_the_most_recent_entries() -> None:
    log = Log(max_entries=3)
    for _ in range(5):
        log.add("submit", number="1")
    assert [entry["seq"] for entry in log.find()] == [3, 4, 5]


def test_archive_drops_the_oldest_beyond_max_count() -> None:
    archive = Archive(max_count=2)
    for seq, name in enumerate("abc", start=1):
        archive.add(seq, exchange(name, 1))
    assert archive.get_by_message_id("a") is None
    assert archive.get(1) is None
    assert archive.get_by_message_id("c") is archive.get(3) is not None


def test_archive_drops_the_oldest_beyond_max_bytes() -> None:
    archive = Archive(max_bytes=100)
    archive.add(1, exchange("a", 60))
    archive.add(2, exchange("b", 60))
    assert (archive.get_by_message_id("a"), archive.get_by_message_id("b")) == (None, archive.get(2))


def test_oldest_transaction_is_dropped_beyond_the_limit() -> None:
    transactions = Transactions(max_transactions=2)
    for name in "abc":
        transactions.count_attempt(name)
        transactions.accept(name)
    assert transactions.message_id("a") is None
    assert transactions.next_attempt("a") == 1
    assert transactions.next_attempt("b") == 2
