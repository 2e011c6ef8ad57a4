"""The small world of the demo: one customer, one carrier whose MMSC is the simulator, profiles of its handsets."""

from collections.abc import Collection

from django.db import connection, transaction
from django.utils import timezone

from billing import keys, ledger
from billing.amounts import UNIT
from billing.models import Account, ApiKey, Balance, Price, SenderAddress, Service
from handsets.cache import parse_identity
from handsets.models import CachedHandset, Handset, Profile
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
# In micro-units: an MMS costs 0.03, a DDM 0.005; each run begins with 10.00.
PRICES = {"mms": 30_000, "ddm": 5_000}
FUNDS = 10 * UNIT
REPORT_USER = ("mmsc", "report-secret")


def load(simulator: str) -> Account:
    """Makes the world, or brings it up to date with the simulator's address, which may differ from run to run."""
    account, _ = Account.objects.update_or_create(name=ACCOUNT, defaults={"postback_url": f"{simulator}/postbacks/ok"})
    if not ApiKey.objects.filter(digest=keys.digest(API_KEY)).exists():
        keys.issue(account, API_KEY, "the key of the examples")
    SenderAddress.objects.get_or_create(account=account, address=SENDER, country="US", default=True)
    Service.objects.get_or_create(account=account, code=SERVICE, defaults={"name": "Demo campaign"})
    _carrier(simulator)
    _profiles()
    _next_template_is(MMS_ID)
    return account


def fund(account: Account) -> None:
    """Gives the account its prices, and tops it up to what a run begins with."""
    for message_class, amount in PRICES.items():
        Price.objects.update_or_create(account=account, message_class=message_class, defaults={"amount": amount})
    kept = Balance.objects.filter(account=account).first()
    missing = FUNDS - (kept.balance if kept else 0)
    if missing > 0:
        ledger.top_up(account, missing, "for the demo", timezone.now())


def forget(numbers: Collection[str]) -> None:
    """Makes the handsets of these numbers unknown again, and ends what an interrupted run left under way."""
    CachedHandset.objects.filter(number__in=numbers).delete()
    with transaction.atomic():
        left = Message.objects.filter(number__in=numbers, due_at__isnull=False)
        charging.release_unsubmitted(left.exclude(status=Status.SUBMITTED), timezone.now())
        left.delete()
    open_discoveries = Discovery.objects.filter(number__in=numbers, due_at__isnull=False)
    open_discoveries.update(status=Status.EXPIRED, due_at=None)


def _carrier(simulator: str) -> None:
    carrier, _ = Carrier.objects.update_or_create(
        operator_id=31002,
        defaults={
            "name": "AT&T",
            "slug": CARRIER,
            "mmsc_url": f"{simulator}/mm7",
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


def _profiles() -> None:
    """One profile a handset of the simulator, matched by the exact identity that its reports name."""
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
            },
        )
        Handset.objects.update_or_create(identity=identity, defaults={"profile": profile})


def _next_template_is(mms_id: int) -> None:
    """The first template that saveMMS stores gets the id that the examples name."""
    if Template.objects.exists():
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('mms_template', 'id'), %s, false)", [mms_id])
