"""Sample data of the demo: one customer, one carrier with the simulator as its MMSC, and handset profiles."""

from collections.abc import Collection

from django.db import connection, transaction
from django.utils import timezone

from base.stale_cache import Freshness
from billing import keys, ledger
from billing.amounts import UNIT
from billing.models import Account, Balance, Price, SenderAddress, Service
from handsets.cache import parse_identity
from handsets.models import CachedHandset, Handset, Profile
from mms.adaptation.coding import CODINGS
from mms.messages import charging
from mms.models import Carrier, Discovery, Message, NumberPrefix, Status, Template
from simulator.numbers import HANDSETS

ACCOUNT = "Demo Company"
API_KEY = "qTFkykO9JTfahCOqJ0V2Wf5Cg1t8iWlZ"
SENDER = "28444"
SERVICE = "12345"
MMS_ID = 35674
CARRIER = "att"
MMSC_USER = ("platform", "mm7-secret")
# In micro-units: 0.03 per MMS, 0.005 per DDM, and a balance of 10.00 at the start of each run.
PRICES = {"mms": 30_000, "ddm": 5_000}
FUNDS = 10 * UNIT
REPORT_USER = ("mmsc", "report-secret")


def load(simulator_url: str) -> Account:
    """Create the data, or update the simulator's URL in it, and return the account."""
    account, _ = Account.objects.update_or_create(
        name=ACCOUNT, defaults={"postback_url": f"{simulator_url}/postbacks/ok"}
    )
    if keys.find(API_KEY, Freshness.CURRENT) is None:
        keys.issue(account, API_KEY, "key of the examples")
    SenderAddress.objects.get_or_create(account=account, address=SENDER, country="US", default=True)
    Service.objects.get_or_create(account=account, code=SERVICE, defaults={"name": "Demo campaign"})
    _load_carrier(simulator_url)
    _load_profiles()
    _set_next_template_id(MMS_ID)
    return account


def fund(account: Account) -> None:
    """Set the account's prices, and top it up to the balance at the start of a run."""
    for message_class, amount in PRICES.items():
        Price.objects.update_or_create(account=account, message_class=message_class, defaults={"amount": amount})
    balance = Balance.objects.filter(account=account).first()
    missing = FUNDS - (balance.balance if balance else 0)
    if missing > 0:
        ledger.top_up(account, missing, "for the demo", timezone.now())


def reset(numbers: Collection[str]) -> None:
    """Forget the handsets of these numbers, and remove unfinished messages of an interrupted run."""
    CachedHandset.objects.filter(number__in=numbers).delete()
    with transaction.atomic():
        unfinished = Message.objects.filter(number__in=numbers, due_at__isnull=False)
        charging.release_unsubmitted(unfinished.exclude(status=Status.SUBMITTED), timezone.now())
        unfinished.delete()
    open_discoveries = Discovery.objects.filter(number__in=numbers, due_at__isnull=False)
    open_discoveries.update(status=Status.EXPIRED, due_at=None)


def _load_carrier(simulator_url: str) -> None:
    carrier, _ = Carrier.objects.update_or_create(
        operator_id=31002,
        defaults={
            "name": "AT&T",
            "slug": CARRIER,
            "mmsc_url": f"{simulator_url}/mm7",
            "mmsc_username": MMSC_USER[0],
            "mmsc_password": MMSC_USER[1],
            "vaspid": "demo-vasp",
            "vasid": "demo-vas",
            "message_bytes": 1_048_576,
            "inbound_username": REPORT_USER[0],
            "inbound_password": REPORT_USER[1],
        },
    )
    NumberPrefix.objects.get_or_create(prefix="1", defaults={"carrier": carrier})


def _load_profiles() -> None:
    """Create a profile for each handset of the simulator, matched by the exact identity in its reports."""
    generic = Profile.objects.get(generic=True)
    for handset in HANDSETS.values():
        identity = parse_identity(handset.identity)
        if identity is None:
            continue
        profile, _ = Profile.objects.update_or_create(
            name=handset.name,
            defaults={
                "parent": generic,
                "screen_width": handset.screen[0],
                "screen_height": handset.screen[1],
                "image_width": handset.image_box[0],
                "image_height": handset.image_box[1],
                "message_bytes": handset.message_bytes,
                "mime_types": sorted(handset.mime_types),
                "decodes": [] if handset.baseline_only else sorted(CODINGS),
            },
        )
        Handset.objects.update_or_create(identity=identity, defaults={"profile": profile})


def _set_next_template_id(mms_id: int) -> None:
    """Make saveMMS store the first template under the id used in the examples."""
    if Template.objects.exists():
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('mms_template', 'id'), %s, false)", [mms_id])
