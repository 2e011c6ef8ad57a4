"""What an MMSC remembers of transactions."""

from collections import OrderedDict
from uuid import uuid4


class Transactions:
    """Per TransactionID: how often it was tried, and the MessageID once it was taken. Forgets the oldest."""

    def __init__(self, remembered: int = 50_000) -> None:
        self._remembered = remembered
        self._tries: OrderedDict[str, int] = OrderedDict()
        self._taken: dict[str, str] = {}

    def next_try(self, transaction_id: str) -> int:
        """Which try the next one would be, from 1."""
        return self._tries.get(transaction_id, 0) + 1

    def count(self, transaction_id: str) -> int:
        """Count one more try and return which one it is."""
        self._tries[transaction_id] = self.next_try(transaction_id)
        if len(self._tries) > self._remembered:
            forgotten, _ = self._tries.popitem(last=False)
            self._taken.pop(forgotten, None)
        return self._tries[transaction_id]

    def take(self, transaction_id: str) -> str:
        """The new MessageID under which its message was taken."""
        return self._taken.setdefault(transaction_id, uuid4().hex)

    def message_id(self, transaction_id: str) -> str | None:
        return self._taken.get(transaction_id)
