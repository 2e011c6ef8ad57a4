"""Routing: the carrier and the sender address for a recipient's number."""

import phonenumbers
from django.db.models import Q

from base.stale_cache import Freshness, stale_cached
from billing.models import Account, SenderAddress, Service
from mms.models import Carrier, NumberPrefix

# Prefixes are cached in groups by the first digits of a number.
HEAD = 4
# ITU-T E.164, 6.1: country code and national number.
DIGITS_MAX = 15


def country_of(number: str) -> str | None:
    """Return the country (ISO 3166, two letters) of a number in E.164 digits, or None if it is not a possible number.

    A number with a national prefix after the country code, as in 44 (0) 7911, is not possible: networks do not deliver
    to it.
    """
    if len(number) > DIGITS_MAX:  # the library accepts longer ones in some numbering plans
        return None
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return None
    as_dialled = f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}"
    if as_dialled != number or not phonenumbers.is_possible_number(parsed):
        return None
    return phonenumbers.region_code_for_number(parsed) or _main_country(parsed)


def _main_country(number: phonenumbers.PhoneNumber) -> str:
    """Return the main country of the calling code, for a possible number that is not assigned in its numbering plan."""
    return phonenumbers.region_code_for_country_code(number.country_code or 0)


@stale_cached
def is_sender(account: Account, address: str) -> bool:
    """Return whether the sender address is assigned to the account, in any country."""
    return account.senders.filter(address=address).exists()


@stale_cached
def sender_for(account: Account, requested: str, country: str) -> SenderAddress | None:
    """Return the sender address for recipients in the country, or None if there is none.

    The requested address comes first, if it is assigned to the account for the country, then the account's default for
    the country, then the platform's.
    """
    own = SenderAddress.objects.filter(account=account, country=country)
    platform = SenderAddress.objects.filter(account=None, country=country)
    return (
        own.filter(address=requested).first()
        or own.filter(default=True).first()
        or platform.filter(default=True).first()
    )


def carrier_for(number: str, freshness: Freshness) -> Carrier | None:
    """Return the carrier of the longest known prefix of the number, or None if no prefix is known."""
    carriers = _prefixes(freshness, number[:HEAD])
    prefixes = (number[:length] for length in range(len(number), 0, -1))
    longest = next((prefix for prefix in prefixes if prefix in carriers), None)
    return _carrier(freshness, carriers[longest]) if longest else None


@stale_cached
def _prefixes(head: str) -> dict[str, int]:
    """Return the carriers of the prefixes that numbers with these first digits may have."""
    shorter = Q(prefix__in=[head[:length] for length in range(1, len(head))])
    return dict(NumberPrefix.objects.filter(shorter | Q(prefix__startswith=head)).values_list("prefix", "carrier"))


@stale_cached
def _carrier(key: int) -> Carrier | None:
    return Carrier.objects.filter(pk=key).first()


@stale_cached
def carrier_by_operator_id(operator_id: int) -> Carrier | None:
    """Return the carrier with this operator-id, or None."""
    return Carrier.objects.filter(operator_id=operator_id).first()


@stale_cached
def service_by_code(account: Account, code: str) -> Service | None:
    """Return the account's service (campaign) with this service-id, or None."""
    return Service.objects.filter(account=account, code=code).first()
