from billing.models.accounts import Account, ApiKey, BlockedNumber, SenderAddress, Service, new_secret
from billing.models.money import Balance, LedgerEntry, LowBalanceNotice, Price, Proof

__all__ = [
    "Account",
    "ApiKey",
    "Balance",
    "BlockedNumber",
    "LedgerEntry",
    "LowBalanceNotice",
    "Price",
    "Proof",
    "SenderAddress",
    "Service",
    "new_secret",
]
