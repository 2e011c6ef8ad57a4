"""Which sender address and which carrier a message takes."""

import phonenumbers
from django.db.models import Q

from base.stale_cache import Freshness, stale_cached
from billing.models import Account, SenderAddress, Service
from mms.models import Carrier, NumberPrefix

# How many first digits of a number choose the part of the table of prefixes that is looked at.
HEAD = 4
# ITU-T E.164, 6.1: country code and national number together.
DIGITS_MAX = 15


def region(number: str) -> str | None:
    """The country (ISO 3166, two letters) of a number in E.164 digits, or None where it is not a possible number.

    One with a national prefix after the country code, as in 44 (0) 7911, is none: networks do not deliver to it.
    """
    if len(number) > DIGITS_MAX:  # some numbering plans of the library's know longer ones
        return None
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return None
    as_dialled = f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"
    if as_dialled != number or not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.region_code_for_number(parsed) or _main_region(parsed)


def _main_region(number: phonenumbers.PhoneNumber) -> str:
    """The main country of the calling code, for a possible number that its numbering plan does not assign."""
    return phonenumbers.region_code_for_country_code(number.country_code or 0)


@stale_cached
def is_sender(account: Account, address: str) -> bool:
    """Whether the address is one of the account's, for whatever country."""
    return account.senders.filter(address=address).exists()


@stale_cached
def sender_for(account: Account, requested: str, country: str) -> SenderAddress | None:
    """The sender address for a recipient of that country: the one requested where it is assigned to the country,

    else the account's default for the country, else the platform's; None where there is neither.
    """
    own = SenderAddress.objects.filter(account=account, country=country)
    platform = SenderAddress.objects.filter(account=None, country=country)
    return (
        own.filter(address=requested).first()
        or own.filter(default=True).first()
        or platform.filter(default=True).first()
    )


def carrier_for(number: str, freshness: Freshness) -> Carrier | None:
    """The carrier of the longest known prefix of the number, or None where none is known."""
    carriers = _prefixes(freshness, number[:HEAD])
    prefixes = (number[:length] for length in range(len(number), 0, -1))
    longest = next((prefix for prefix in prefixes if prefix in carriers), None)
    return _carrier(freshness, carriers[longest]) if longest else None


@stale_cached
def _prefixes(head: str) -> dict[str, int]:
    """The prefixes that numbers with these first digits may have."""
    shorter = Q(prefix__in=[head[:length] for length in range(1, len(head))])
    return dict(NumberPrefix.objects.filter(shorter | Q(prefix__startswith=head)).values_list("prefix", "carrier"))


@stale_cached
def _carrier(key: int) -> Carrier | None:
    return Carrier.objects.filter(pk=key).first()


@stale_cached
def carrier_named(operator_id: int) -> Carrier | None:
    """The carrier that customers name by this operator-id."""
    return Carrier.objects.filter(operator_id=operator_id).first()


@stale_cached
def service_named(account: Account, code: str) -> Service | None:
    """The account's campaign that he names by this service-id."""
    return Service.objects.filter(account=account, code=code).first()
