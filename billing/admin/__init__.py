"""The console on accounts and their money."""

from billing.admin import accounts, keys, ledger, notices, numbers, prices

__all__ = ["accounts", "keys", "ledger", "notices", "numbers", "prices"]
