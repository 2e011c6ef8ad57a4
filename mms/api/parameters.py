"""Reading single parameters: each gives a checked value or refuses with its own code and a sentence.

The sentences name a parameter as the customer wrote it.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from base.stale_cache import Freshness
from billing.models import Account, Service
from mms.adaptation.texts import MissingValue, fill_with_defaults, find_malformed_tag, merge, subject_problem
from mms.api.errors import Refusal
from mms.api.request_tree import InvalidParameter, Node
from mms.content import store
from mms.messages import routing
from mms.models import Carrier, Message, Template
from mms.models.tracking_ids import parse_tracking_id

TEXT_MAX = 5_000
TEMPLATE_SUBJECT_MAX = 500  # with the names and defaults of its merge tags
DDM_TIMEOUT_MAX = 4320  # minutes: three days
DDM_TIMEOUT_DEFAULT = 5
ID_MAX = 2**63 - 1
OPERATOR_ID_MAX = 999_999_999
LINK_EXPIRATION_MAX = timedelta(days=366)
# An alphanumeric sender (3GPP TS 23.040, 9.1.2.5: 11 characters) that cannot be mistaken for a number.
MASK = re.compile(r"(?=.*[A-Za-z_-])[A-Za-z0-9_-]{1,11}", re.ASCII)
DIGITS_MAX = len(str(ID_MAX))
# The + of an offset comes as a space from a query in which it was not percent-encoded.
LOST_PLUS = re.compile(r"(?<=:[0-9]{2}) (?=[0-9]{2}:?[0-9]{2}$)")
# As far may a customer's clock be ahead of ours, when he gives a moment as late as may be.
CLOCKS = timedelta(minutes=5)
# As many digits on end are a number of their own, not a part of one that is written with spaces.
NUMBERS = re.compile(r"[0-9]{7,}")


def text_of(request: Node, name: str, code: str = "E100") -> str:
    """The text of a parameter, "" where it is missing. Refuses one that stands more than once or holds elements."""
    try:
        return request.value(name)
    except InvalidParameter as problem:
        raise Refusal(code, str(problem)) from None


def parse_integer(text: str, least: int, most: int) -> int | None:
    """The whole number that the text is, or None where it is none from `least` to `most`."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        return None
    return int(text) if least <= int(text) <= most else None


def recipient(request: Node) -> tuple[str, str]:
    """The recipient, E.164 digits, and his country."""
    to = text_of(request, "to", "E110")
    if not to:
        raise Refusal("E110", f"{request.name_of('to')} is missing")
    if len(NUMBERS.findall(to)) > 1:
        raise Refusal("E110", f"{request.name_of('to')} must be one number; send to each in a request of its own")
    digits = to.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        wanted = "a number in international format: country code and digits, nothing between them, such as 14044790000"
        raise Refusal("E110", f"{request.name_of('to')} must be {wanted}")
    country = routing.country_of(digits)
    if country is None:
        hint = "the country code comes first, no 0 before or after it"
        raise Refusal("E110", f"{request.name_of('to')} is not a possible number: {digits[:20]}; {hint}")
    return digits, country


def sender(request: Node, account: Account, freshness: Freshness) -> str:
    sender = text_of(request, "from", "E111").removeprefix("+")
    if not sender:
        raise Refusal("E111", f"{request.name_of('from')} is missing")
    if not routing.is_sender(freshness, account, sender):
        name = request.name_of("from")
        raise Refusal("E111", f"{name} is not one of the account's sender addresses: {sender[:20]}")
    return sender


def template(request: Node, account: Account, freshness: Freshness) -> Template:
    """The stored content that the request names, in whatever state it is."""
    mms_id = text_of(request, "mms_id")
    if not mms_id:
        raise Refusal("E620", f"{request.name_of('mms_id')} is missing")
    key = parse_integer(mms_id, 1, ID_MAX)
    found = store.get_template(freshness, account, key) if key else None
    if found is None:
        raise unknown_template(request, mms_id)
    return found


def sendable_template(request: Node, account: Account, freshness: Freshness) -> Template:
    """The stored content that the request names, its audio and video encoded."""
    found, name = template(request, account, freshness), request.name_of("mms_id")
    if found.status == Template.Status.ENCODING:
        raise Refusal("E626", f"The audio or video of {name} {found.pk} is being encoded; wait for its postback N003")
    if found.status == Template.Status.FAILED:
        raise Refusal("E629", f"{name} {found.pk} cannot be sent: {found.problem}")
    return found


def unknown_template(request: Node, mms_id: str) -> Refusal:
    return Refusal("E241", f"There is no {request.name_of('mms_id')} {mms_id[:20]} in this account")


def message(request: Node, account: Account) -> Message:
    """The account's message that the request names by its tracking id."""
    tracking_id, name = text_of(request, "tracking_id"), request.name_of("tracking_id")
    if not tracking_id:
        raise Refusal("E100", f"{name} is missing")
    messages = Message.objects.filter(account=account).select_related("handset")
    found = messages.filter(pk=parse_tracking_id(tracking_id) or 0).first()
    if found is None:
        raise Refusal("E100", f"There is no {name} {tracking_id[:40]} in this account")
    return found


def service(request: Node, account: Account, freshness: Freshness) -> Service | None:
    """The campaign, or None where neither the dialect nor the account demands one and none is given."""
    code, name = text_of(request, "service_id", "E627"), request.name_of("service_id")
    if not code and "service_id" in request.dialect.optional_parameters and not account.service_required:
        return None
    if not code:
        raise Refusal("E627", f"{name} is missing")
    found = routing.service_by_code(freshness, account, code)
    if found is None:
        raise Refusal("E627", f"{name} is not one of the account's: {code[:40]}")
    return found


def carrier(request: Node, freshness: Freshness) -> Carrier | None:
    """The carrier that the customer names by operator-id, or None where he leaves it to us."""
    operator_id = text_of(request, "operator_id", "E650")
    if not operator_id:
        return None
    given = parse_integer(operator_id, 0, OPERATOR_ID_MAX)
    if given is None:
        wanted = f"a whole number of at most {len(str(OPERATOR_ID_MAX))} digits"
        raise Refusal("E650", f"{request.name_of('operator_id')} must be {wanted}")
    found = routing.carrier_by_operator_id(freshness, given)
    if found is None:
        raise Refusal(
            "E651",
            f"{request.name_of('operator_id')} {operator_id} is unknown; leave it out to have the carrier looked up",
        )
    return found


def check_subject(text: str, wire: str) -> str:
    """The subject with its merge tags filled, where an MMSC would take it."""
    problem = subject_problem(text)
    if problem:
        raise Refusal("E314", f"{wire}: {problem}")
    return text


def template_subject(request: Node) -> str:
    """The subject of new content, "" where it is missing.

    Its merge tags are filled when it is sent, and it is checked again then: until then, by their defaults.
    """
    subject, name = text_of(request, "subject", "E314"), request.name_of("subject")
    if len(subject) > TEMPLATE_SUBJECT_MAX:
        lengths = f"{len(subject)} characters; {TEMPLATE_SUBJECT_MAX} are allowed"
        raise Refusal("E314", f"{name}: with its merge tags, the subject has {lengths}")
    check_merge_tags(subject, name)
    check_subject(fill_with_defaults(subject), name)
    return subject


def check_merge_tags(text: str, what: str) -> None:
    """Refuses a text in which something is opened like a merge tag and is none."""
    found = find_malformed_tag(text)
    if found:
        raise Refusal("E100", f"{what}: {found} is no merge tag; write {{{{name}}}} or {{{{name|default}}}}")


def fill_merge_tags(request: Node, text: str, data: Mapping[str, str], what: str) -> str:
    """The text with its merge tags filled from the request's data; refusals call it `what`."""
    check_merge_tags(text, what)
    try:
        return merge(text, data)
    except MissingValue as missing:
        lacking = f"{what}: {request.name_of('data')} has no value for the merge tag {missing.name}"
        raise Refusal("E100", f"{lacking}; give it one, or a default") from None


def long_text(request: Node, name: str) -> str:
    text = text_of(request, name)
    if len(text) > TEXT_MAX:
        raise Refusal("E228", f"{request.name_of(name)} has {len(text)} characters; {TEXT_MAX} are allowed")
    return text


def short_text(request: Node, name: str, longest: int) -> str:
    text = text_of(request, name)
    if len(text) > longest:
        raise Refusal("E100", f"{request.name_of(name)} has {len(text)} characters; {longest} are allowed")
    return text


def flag(request: Node, name: str, *, default: bool = False) -> bool:
    word, words = text_of(request, name).lower(), request.dialect.boolean_words
    if word and word not in words:
        wanted = " or ".join(list(words)[:2])
        raise Refusal("E100", f"{request.name_of(name)} must be {wanted}")
    return words.get(word, default)


def from_mask(request: Node) -> str:
    """What a handset is to show in place of the sender address. Kept with the message: no carrier is told of it."""
    text = text_of(request, "from_mask")
    if text and not MASK.fullmatch(text):
        wanted = "1 to 11 letters, digits, underscores and hyphens, and no number"
        raise Refusal("E100", f"{request.name_of('from_mask')} must be {wanted}")
    return text


def timestamp(request: Node, name: str, code: str = "E100") -> datetime | None:
    """A moment in ISO 8601, as UTC, which it is where it names no offset; None where it is missing."""
    text = text_of(request, name, code)
    if not text:
        return None
    # OverflowError: what lies beyond the years 1 to 9999, once it is UTC.
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(LOST_PLUS.sub("+", text))
        # PostgreSQL knows fewer offsets than Python.
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    example = "2026-11-22T12:57:35Z"  # a + would be a space in a query string
    raise Refusal(code, f"{request.name_of(name)} must be a moment in ISO 8601, such as {example}")


def future_timestamp(request: Node, name: str, within: timedelta | None = None) -> datetime | None:
    """A moment that is still to come, and where `within` is given, not later than that; None where it is missing."""
    found, now = timestamp(request, name), timezone.now()
    if found and found <= now:
        raise Refusal("E100", f"{request.name_of(name)} must be in the future; {found:%Y-%m-%dT%H:%M:%SZ} is over")
    if found and within and found > now + within + CLOCKS:
        raise Refusal("E100", f"{request.name_of(name)} must be within {within.days} days from now")
    return found


def ddm_timeout(request: Node) -> int:
    """The deadline of a discovery in minutes."""
    text = text_of(request, "ddm_timeout")
    if not text:
        return DDM_TIMEOUT_DEFAULT
    minutes = parse_integer(text, 1, DDM_TIMEOUT_MAX)
    if minutes is None:
        wanted = f"a whole number of minutes from 1 to {DDM_TIMEOUT_MAX}"
        raise Refusal("E100", f"{request.name_of('ddm_timeout')} must be {wanted}")
    return minutes
