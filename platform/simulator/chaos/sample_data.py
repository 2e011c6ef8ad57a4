"""Sample data of the chaos test: the demo's carrier and handsets, and four customers with different settings."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection
from django.utils import timezone

from billing import keys, ledger
from billing.amounts import UNIT
from billing.models import Account, Price, SenderAddress, Service
from mms.models import Carrier
from simulator.demo import sample_data as demo_data

SERVICE = "12345"
PRICES = {"mms": 30_000, "ddm": 5_000}  # micro-units
TIMEOUT = 5  # seconds to wait for a response of the MMSC


@dataclass(frozen=True, slots=True)
class Customer:
    """An account: its dialect, the behaviour of its postback server, and its funds in micro-units."""

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
    # Its funds run out during the run: refused requests must not be sent, and charges must not exceed the funds.
    Customer("Dime", "dime-key-of-the-chaos-run-0123456", Account.Dialect.SINCH, funds=15 * UNIT),
)


def load(simulator_url: str, known: Collection[str]) -> None:
    """Create the data in an empty database; the handsets of the numbers `known` are in the handset cache."""
    demo_data.load(simulator_url)
    Carrier.objects.update(timeout=TIMEOUT)
    for customer in CUSTOMERS:
        _create_account(customer, simulator_url)
    with connection.cursor() as cursor:
        cursor.execute(KNOWN_HANDSETS, [sorted(known)])


KNOWN_HANDSETS = """
INSERT INTO handsets_cachedhandset (number, handset_id, source, first_seen, last_seen)
SELECT unnest(%s::text[]), min(id), 'ddm-report', now(), now() FROM handsets_handset
"""


def _create_account(customer: Customer, simulator_url: str) -> None:
    account = Account.objects.create(
        name=customer.name,
        postback_url=f"{simulator_url}/postbacks/{customer.server}-{customer.name.lower()}",
        postback_dialect=customer.dialect,
        refund_undelivered=customer.refunds,
    )
    keys.issue(account, customer.key)
    SenderAddress.objects.create(account=account, address=demo_data.SENDER, country="US", default=True)
    Service.objects.create(account=account, code=SERVICE)
    for message_class, amount in PRICES.items():
        Price.objects.create(account=account, message_class=message_class, amount=amount)
    ledger.top_up(account, customer.funds, "for the run", timezone.now())
