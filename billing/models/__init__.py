from billing.models.accounts import Account, ApiKey, SenderAddress, Service, new_secret
from billing.models.money import Balance, LedgerEntry, LowBalanceNotice, Price

__all__ = [
    "Account",
    "ApiKey",
    "Balance",
    "LedgerEntry",
    "LowBalanceNotice",
    "Price",
    "SenderAddress",
    "Service",
    "new_secret",
]
