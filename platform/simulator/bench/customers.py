"""Customers for the load, with prices and more funds than a run can spend."""

from pathlib import Path

from django.utils import timezone

from billing import keys, ledger
from billing.amounts import UNIT
from billing.models import Account, SenderAddress, Service
from mms.content import store
from mms.content.store import NewSlide
from mms.encoding import queue
from mms.models import Template
from simulator.demo import sample_data

SEED = Path(sample_data.__file__).with_name("seed.xml").read_text()
FUNDS = 1_000_000 * UNIT


def fund(account: Account) -> None:
    """Give the account the demo's prices and sufficient funds."""
    sample_data.fund(account)
    ledger.top_up(account, FUNDS, "for the bench", timezone.now())


def create_customer(name: str) -> str:
    """Create a customer with its own template, and return the demo's sendSavedMMS request for it."""
    account = Account.objects.create(name=name)
    SenderAddress.objects.create(account=account, address=sample_data.SENDER, country="US", default=True)
    Service.objects.create(account=account, code=sample_data.SERVICE)
    template = Template(account=account, name="Bench", subject="Hello {{firstname|you}}")
    store.save_template(template, [NewSlide(10, "Dear {{firstname|customer}}", ())], queue.conclude, timezone.now())
    fund(account)
    return SEED.replace(sample_data.API_KEY, keys.issue(account)).replace(str(sample_data.MMS_ID), str(template.pk))
