"""More customers like the demo's, for a load of many."""

from pathlib import Path

from django.utils import timezone

from billing import keys, ledger
from billing.amounts import UNIT
from billing.models import Account, Price, SenderAddress, Service
from mms import content
from mms.content import NewSlide
from mms.models import Template
from simulator.demo import world

SEED = Path(__file__).with_name("seed.xml")
FUNDS = 1_000_000 * UNIT  # more than a run can spend


def order(name: str) -> str:
    """The demo's sendSavedMMS, of a new customer of this name with prices, funds and a template of his own."""
    account, now = Account.objects.create(name=name), timezone.now()
    SenderAddress.objects.create(account=account, address=world.SENDER, country="US", default=True)
    Service.objects.create(account=account, code=world.SERVICE)
    for message_class, amount in world.PRICES.items():
        Price.objects.create(account=account, message_class=message_class, amount=amount)
    ledger.top_up(account, FUNDS, "for a load", now)
    slide = NewSlide(10, "Dear {{firstname|customer}}", ())
    template = Template(account=account, name="Load", subject="Hello {{firstname|you}}")
    content.save(template, [slide], now)
    return SEED.read_text().replace(world.API_KEY, keys.issue(account)).replace(str(world.MMS_ID), str(template.pk))
