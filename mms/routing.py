"""Which sender address and which carrier a message takes."""

import phonenumbers

from billing.models import Account, SenderAddress
from mms.models import Carrier, NumberPrefix


def region(number: str) -> str | None:
    """The country (ISO 3166, two letters) of a number in E.164 digits, or None where it is not a possible number.

    One with a national prefix after the country code, as in 44 (0) 7911, is none: networks do not deliver to it.
    """
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return None
    as_dialled = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    if not phonenumbers.is_possible_number(parsed) or as_dialled != f"+{number}":
        return None
    return phonenumbers.region_code_for_number(parsed) or _main_region(parsed)


def _main_region(number: phonenumbers.PhoneNumber) -> str:
    """The main country of the calling code, for a possible number that its numbering plan does not assign."""
    return phonenumbers.region_code_for_country_code(number.country_code or 0)


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


def carrier_for(number: str) -> Carrier | None:
    """The carrier of the longest known prefix of the number, or None where none is known."""
    prefixes = [number[:length] for length in range(1, len(number) + 1)]
    known = NumberPrefix.objects.filter(prefix__in=prefixes).select_related("carrier")
    longest = max(known, key=lambda found: len(found.prefix), default=None)
    return longest.carrier if longest else None
