"""Checked values of single parameters.

Each function raises Refusal, with the code of the parameter and its name as the customer wrote it, if it is invalid.
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
TEMPLATE_SUBJECT_MAX = 500  # including the names and defaults of merge tags
DDM_TIMEOUT_MAX = 4320  # minutes, three days
DDM_TIMEOUT_DEFAULT = 5  # minutes
ID_MAX = 2**63 - 1
OPERATOR_ID_MAX = 999_999_999
LINK_EXPIRATION_MAX = timedelta(days=366)
# An alphanumeric sender of up to 11 characters (3GPP TS 23.040, 9.1.2.5) that cannot be mistaken for a number.
MASK = re.compile(r"(?=.*[A-Za-z_-])[A-Za-z0-9_-]{1,11}", re.ASCII)
DIGITS_MAX = len(str(ID_MAX))
# The + of an offset arrives as a space from a query that does not percent-encode it.
LOST_PLUS = re.compile(r"(?<=:[0-9]{2}) (?=[0-9]{2}:?[0-9]{2}$)")
# How far a customer's clock may be ahead of ours when a timestamp is as late as allowed.
CLOCK_SKEW_MAX = timedelta(minutes=5)
# So many consecutive digits are a number of their own, not a group of one written with separators.
NUMBERS = re.compile(r"[0-9]{7,}")


def text_of(request: Node, name: str, code: str = "E100") -> str:
    """Return the text of the parameter, or "" if it is missing. Refuse one that is repeated or contains elements."""
    try:
        return request.value(name)
    except InvalidParameter as problem:
        raise Refusal(code, str(problem)) from None


def parse_integer(text: str, minimum: int, maximum: int) -> int | None:
    """Return the integer written in `text`, or None if it is not one in this range."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        return None
    return int(text) if minimum <= int(text) <= maximum else None


def recipient(request: Node) -> tuple[str, str]:
    """Return the recipient's number, in E.164 digits, and its country."""
    to = text_of(request, "to", "E110")
    if not to:
        raise Refusal("E110", f"{request.name_of('to')} is missing")
    if len(NUMBERS.findall(to)) > 1:
        raise Refusal(
            "E110", f"{request.name_of('to')} must be a single number; send a separate request for each recipient"
        )
    digits = to.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        expected = "a number in international format: country code and digits without separators, such as 14044790000"
        raise Refusal("E110", f"{request.name_of('to')} must be {expected}")
    country = routing.country_of(digits)
    if country is None:
        hint = "it must start with the country code, without a 0 before or after it"
        raise Refusal("E110", f"{request.name_of('to')} is not a possible number: {digits[:20]}; {hint}")
    return digits, country


def sender(request: Node, account: Account, freshness: Freshness) -> str:
    """Return the sender address, which is one of the account's."""
    sender = text_of(request, "from", "E111").removeprefix("+")
    if not sender:
        raise Refusal("E111", f"{request.name_of('from')} is missing")
    if not routing.is_sender(freshness, account, sender):
        name = request.name_of("from")
        raise Refusal("E111", f"{name} is not one of the account's sender addresses: {sender[:20]}")
    return sender


def template(request: Node, account: Account, freshness: Freshness) -> Template:
    """Return the template with the mms-id of the request, in any status."""
    mms_id = text_of(request, "mms_id")
    if not mms_id:
        raise Refusal("E620", f"{request.name_of('mms_id')} is missing")
    key = parse_integer(mms_id, 1, ID_MAX)
    found = store.get_template(freshness, account, key) if key else None
    if found is None:
        raise unknown_template(request, mms_id)
    return found


def sendable_template(request: Node, account: Account, freshness: Freshness) -> Template:
    """Return the template with the mms-id of the request; refuse one that is not encoded."""
    found, name = template(request, account, freshness), request.name_of("mms_id")
    if found.status == Template.Status.ENCODING:
        raise Refusal(
            "E626", f"The audio or video of {name} {found.pk} is still being encoded; wait for the postback N003"
        )
    if found.status == Template.Status.FAILED:
        raise Refusal("E629", f"{name} {found.pk} cannot be sent: {found.problem}")
    return found


def unknown_template(request: Node, mms_id: str) -> Refusal:
    """Return the refusal for a template that does not exist or is deleted."""
    return Refusal("E241", f"There is no {request.name_of('mms_id')} {mms_id[:20]} in this account")


def message(request: Node, account: Account) -> Message:
    """Return the account's message with the tracking ID of the request."""
    tracking_id, name = text_of(request, "tracking_id"), request.name_of("tracking_id")
    if not tracking_id:
        raise Refusal("E100", f"{name} is missing")
    messages = Message.objects.filter(account=account).select_related("handset")
    found = messages.filter(pk=parse_tracking_id(tracking_id) or 0).first()
    if found is None:
        raise Refusal("E100", f"There is no {name} {tracking_id[:40]} in this account")
    return found


def service(request: Node, account: Account, freshness: Freshness) -> Service | None:
    """Return the service, or None if it is missing and neither the dialect nor the account requires it."""
    code, name = text_of(request, "service_id", "E627"), request.name_of("service_id")
    if not code and "service_id" in request.dialect.optional_parameters and not account.service_required:
        return None
    if not code:
        raise Refusal("E627", f"{name} is missing")
    found = routing.service_by_code(freshness, account, code)
    if found is None:
        raise Refusal("E627", f"{name} is not defined for this account: {code[:40]}")
    return found


def carrier(request: Node, freshness: Freshness) -> Carrier | None:
    """Return the carrier with the operator-id of the request, or None if it is missing."""
    operator_id = text_of(request, "operator_id", "E650")
    if not operator_id:
        return None
    number = parse_integer(operator_id, 0, OPERATOR_ID_MAX)
    if number is None:
        expected = f"a whole number of at most {len(str(OPERATOR_ID_MAX))} digits"
        raise Refusal("E650", f"{request.name_of('operator_id')} must be {expected}")
    found = routing.carrier_by_operator_id(freshness, number)
    if found is None:
        raise Refusal(
            "E651",
            f"{request.name_of('operator_id')} {operator_id} is unknown; omit it to have the carrier looked up",
        )
    return found


def check_subject(text: str, label: str) -> str:
    """Return the filled subject; refuse one that MMSCs would reject. Errors call it `label`."""
    problem = subject_problem(text)
    if problem:
        raise Refusal("E314", f"{label}: {problem}")
    return text


def template_subject(request: Node) -> str:
    """Return the subject of new content, or "" if it is missing.

    It is checked with the defaults of its merge tags, and again with their values when a message is sent.
    """
    subject, name = text_of(request, "subject", "E314"), request.name_of("subject")
    if len(subject) > TEMPLATE_SUBJECT_MAX:
        lengths = f"{len(subject)} characters; at most {TEMPLATE_SUBJECT_MAX} are allowed"
        raise Refusal("E314", f"{name}: with its merge tags, the subject has {lengths}")
    check_merge_tags(subject, name)
    check_subject(fill_with_defaults(subject), name)
    return subject


def check_merge_tags(text: str, label: str) -> None:
    """Refuse a text with an opening `{{` that does not begin a merge tag. Errors call the text `label`."""
    found = find_malformed_tag(text)
    if found:
        raise Refusal("E100", f"{label}: {found} is not a merge tag; write {{{{name}}}} or {{{{name|default}}}}")


def fill_merge_tags(request: Node, text: str, data: Mapping[str, str], label: str) -> str:
    """Return the text with its merge tags filled from `data`. Errors call the text `label`."""
    check_merge_tags(text, label)
    try:
        return merge(text, data)
    except MissingValue as missing:
        problem = f"{label}: {request.name_of('data')} has no value for the merge tag {missing.name}"
        raise Refusal("E100", f"{problem}; add a value or a default") from None


def long_text(request: Node, name: str) -> str:
    """Return a text of up to TEXT_MAX characters, or "" if it is missing."""
    text = text_of(request, name)
    if len(text) > TEXT_MAX:
        raise Refusal("E228", f"{request.name_of(name)} has {len(text)} characters; at most {TEXT_MAX} are allowed")
    return text


def short_text(request: Node, name: str, max_length: int) -> str:
    """Return a text of up to `max_length` characters, or "" if it is missing."""
    text = text_of(request, name)
    if len(text) > max_length:
        raise Refusal("E100", f"{request.name_of(name)} has {len(text)} characters; at most {max_length} are allowed")
    return text


def flag(request: Node, name: str, *, default: bool = False) -> bool:
    """Return a boolean parameter."""
    word, words = text_of(request, name).lower(), request.dialect.boolean_words
    if word and word not in words:
        expected = " or ".join(list(words)[:2])
        raise Refusal("E100", f"{request.name_of(name)} must be {expected}")
    return words.get(word, default)


def from_mask(request: Node) -> str:
    """Return the name to show in place of the sender address. It is stored, and not sent to any carrier."""
    text = text_of(request, "from_mask")
    if text and not MASK.fullmatch(text):
        expected = "1 to 11 letters, digits, underscores or hyphens, and not only digits"
        raise Refusal("E100", f"{request.name_of('from_mask')} must be {expected}")
    return text


def timestamp(request: Node, name: str, code: str = "E100") -> datetime | None:
    """Return an ISO 8601 timestamp in UTC, or None if it is missing; without an offset it is taken as UTC."""
    text = text_of(request, name, code)
    if not text:
        return None
    # OverflowError: outside the years 1 to 9999 after conversion to UTC.
    with suppress(ValueError, OverflowError):
        found = datetime.fromisoformat(LOST_PLUS.sub("+", text))
        # PostgreSQL accepts fewer offsets than Python.
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    example = "2026-11-22T12:57:35Z"  # no +, which is a space in a query string
    raise Refusal(code, f"{request.name_of(name)} must be an ISO 8601 date or time, such as {example}")


def future_timestamp(request: Node, name: str, within: timedelta | None = None) -> datetime | None:
    """Return a timestamp in the future, at most `within` from now, or None if it is missing."""
    found, now = timestamp(request, name), timezone.now()
    if found and found <= now:
        raise Refusal(
            "E100", f"{request.name_of(name)} must be in the future; {found:%Y-%m-%dT%H:%M:%SZ} is in the past"
        )
    if found and within and found > now + within + CLOCK_SKEW_MAX:
        raise Refusal("E100", f"{request.name_of(name)} must be within {within.days} days from now")
    return found


def ddm_timeout(request: Node) -> int:
    """Return the time limit of a discovery in minutes."""
    text = text_of(request, "ddm_timeout")
    if not text:
        return DDM_TIMEOUT_DEFAULT
    minutes = parse_integer(text, 1, DDM_TIMEOUT_MAX)
    if minutes is None:
        expected = f"a whole number of minutes from 1 to {DDM_TIMEOUT_MAX}"
        raise Refusal("E100", f"{request.name_of('ddm_timeout')} must be {expected}")
    return minutes
