"""The table from MM7 status codes to submit outcomes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mms.protocol.submit import Outcome

# 3GPP TS 23.140, 8.7.10.3 (status codes and texts), with the codes of Sinch that do not conflict with it.
OUTCOMES: Final[Mapping[int, Outcome]] = MappingProxyType(
    {
        1000: Outcome.SUBMITTED,  # Success
        1100: Outcome.SUBMITTED,  # Partial success
        2000: Outcome.PERMANENT,  # Client error
        2001: Outcome.PERMANENT,  # Operation restricted
        2002: Outcome.PERMANENT,  # Address error
        2003: Outcome.PERMANENT,  # Address not found
        2004: Outcome.CONTENT_REFUSED,  # Multimedia content refused
        2005: Outcome.PERMANENT,  # Message ID not found
        2006: Outcome.PERMANENT,  # LinkedID not found
        2007: Outcome.PERMANENT,  # Message format corrupt
        2008: Outcome.PERMANENT,  # Application ID not found
        2009: Outcome.PERMANENT,  # Reply application ID not found
        2569: Outcome.TRANSIENT,  # Sinch: carrier look-up is down (its other 25xx are errors of the request)
        3000: Outcome.TRANSIENT,  # Server error
        3001: Outcome.PERMANENT,  # Not possible; Sinch: blacklisted
        3002: Outcome.PERMANENT,  # Message rejected
        3003: Outcome.PERMANENT,  # Multiple addresses not supported
        3004: Outcome.PERMANENT,  # Application addressing not supported
        3500: Outcome.TRANSIENT,  # Sinch
        3510: Outcome.TRANSIENT,  # Sinch
        4000: Outcome.LIMITED,  # General service error
        4001: Outcome.PERMANENT,  # Improper identification
        4002: Outcome.PERMANENT,  # Unsupported version
        4003: Outcome.PERMANENT,  # Unsupported operation
        4004: Outcome.PERMANENT,  # Validation error
        4005: Outcome.PERMANENT,  # Service error: "should not be resent"
        4006: Outcome.TRANSIENT,  # Service unavailable
        4007: Outcome.PERMANENT,  # Service denied
        4008: Outcome.PERMANENT,  # Application denied
    }
)

# Proprietary codes follow their range: success, client, server and service errors.
_BY_THOUSAND: Final = {
    1: Outcome.SUBMITTED,
    2: Outcome.PERMANENT,
    3: Outcome.TRANSIENT,
    4: Outcome.PERMANENT,
}

# For carriers reached through Sinch, where 3003 has another meaning.
SINCH_OVERRIDES: Final[Mapping[int, Outcome]] = MappingProxyType({3003: Outcome.TRANSIENT})

NO_OVERRIDES: Final[Mapping[int, Outcome]] = MappingProxyType({})


def outcome(code: int, overrides: Mapping[int, Outcome] = NO_OVERRIDES) -> Outcome:
    """Return the outcome of an MMSC's status code; the carrier's `overrides` take precedence.

    Codes outside the known ranges are permanent.
    """
    known = overrides.get(code) or OUTCOMES.get(code)
    return known or _BY_THOUSAND.get(code // 1000, Outcome.PERMANENT)
