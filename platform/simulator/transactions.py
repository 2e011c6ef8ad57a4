"""Record of MM7 transactions, by which the simulated MMSC recognizes repeated submits."""

from collections import OrderedDict
from uuid import uuid4


class Transactions:
    """Number of attempts and, once accepted, MessageID of each TransactionID. Drops the oldest beyond a limit."""

    def __init__(self, max_transactions: int = 50_000) -> None:
        self._max_transactions = max_transactions
        self._attempts: OrderedDict[str, int] = OrderedDict()
        self._message_ids: dict[str, str] = {}

    def next_attempt(self, transaction_id: str) -> int:
        """Return the number of the next attempt, counted from 1."""
        return self._attempts.get(transaction_id, 0) + 1

    def count_attempt(self, transaction_id: str) -> int:
        """Record an attempt and return its number, counted from 1."""
        self._attempts[transaction_id] = self.next_attempt(transaction_id)
        if len(self._attempts) > self._max_transactions:
            oldest, _ = self._attempts.popitem(last=False)
            self._message_ids.pop(oldest, None)
        return self._attempts[transaction_id]

    def accept(self, transaction_id: str) -> str:
        """Accept the message of a transaction and return its new MessageID."""
        return self._message_ids.setdefault(transaction_id, uuid4().hex)

    def message_id(self, transaction_id: str) -> str | None:
        return self._message_ids.get(transaction_id)
