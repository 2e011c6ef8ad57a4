"""The world of the chaos: the demo's carrier and handsets, and four customers who differ."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from billing import keys, ledger
from billing.amounts import UNIT
from billing.models import Account, Price, SenderAddress, Service
from mms.models import Carrier
from simulator.demo import sample_data

SERVICE = "12345"
PRICES = {"mms": 30_000, "ddm": 5_000}  # micro-units
TIMEOUT = 5  # seconds that the carrier's MMSC may take to answer
# The carrier's, behind the world's: where the reports go.
CARRIER = sample_data.CARRIER


@dataclass(frozen=True, slots=True)
class Customer:
    """An account: its dialect, the behaviour of its server for postbacks, what it has to spend (micro-units)."""

    name: str
    key: str
    dialect: str
    server: str = "ok"
    funds: int = 1000 * UNIT
    refunds: bool = False
    mms_id: str = ""


CUSTOMERS = (
    Customer("Acme", "acme-key-of-the-chaos-run-0123456", Account.Dialect.SINCH),
    Customer("Bolt", "bolt-key-of-the-chaos-run-0123456", Account.Dialect.SKYCORE, refunds=True),
    Customer("Cargo", "cargo-key-of-the-chaos-run-012345", Account.Dialect.JSON, server="flaky"),
    # Its money runs out on the way: what is refused must not be sent, nor what is sent cost more than there is.
    Customer("Dime", "dime-key-of-the-chaos-run-0123456", Account.Dialect.SINCH, funds=15 * UNIT),
)


def load(simulator: str, known: Collection[str]) -> None:
    """Makes the world around a simulator at this address, in an empty database; the handsets of `known` are known."""
    sample_data.load(simulator)
    Carrier.objects.update(timeout=TIMEOUT)
    for customer in CUSTOMERS:
        _account(customer, simulator)
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_HANDSETS, [sorted(known)])


KNOWN_HANDSETS = """
INSERT INTO handsets_cachedhandset (number, handset_id, source, first_seen, last_seen)
SELECT unnest(%s::text[]), min(id), 'ddm-report', now(), now() FROM handsets_handset
"""


def _account(customer: Customer, simulator: str) -> None:
    account = Account.objects.create(
        name=customer.name,
        postback_url=f"{simulator}/postbacks/{customer.server}-{customer.name.lower()}",
        postback_dialect=customer.dialect,
        refund_undelivered=customer.refunds,
    )
    keys.issue(account, customer.key)
    SenderAddress.objects.create(account=account, address=sample_data.SENDER, country="US", default=True)
    Service.objects.create(account=account, code=SERVICE)
    for message_class, amount in PRICES.items():
        Price.objects.create(account=account, message_class=message_class, amount=amount)
    ledger.top_up(account, customer.funds, "for the run", timezone.now())
