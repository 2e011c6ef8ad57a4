"""The admin of accounts, API keys, prices and the ledger."""

from billing.admin import accounts, keys, ledger, notices, numbers, prices

__all__ = ["accounts", "keys", "ledger", "notices", "numbers", "prices"]
