"""The console on accounts and their money."""

from billing.admin import accounts, ledger, notices, prices

__all__ = ["accounts", "ledger", "notices", "prices"]
