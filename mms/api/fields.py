"""Reading single parameters: each gives a checked value or refuses with its own code and a sentence."""

from billing.models import Account, Service
from mms import routing
from mms.adaptation.texts import subject_problem
from mms.api.errors import Refusal
from mms.api.parsers import Node, Unclear
from mms.models import Carrier, Template

TEXT_MAX = 5_000
DDM_TIMEOUT_MAX = 4320  # minutes: three days
DDM_TIMEOUT_DEFAULT = 5
ID_MAX = 2**63 - 1
OPERATOR_ID_MAX = 999_999_999
DIGITS_MAX = len(str(ID_MAX))


def once(request: Node, name: str, code: str = "E100") -> str:
    """The text of a parameter, "" where it is missing. Refuses one that stands more than once or holds elements."""
    try:
        return request.value(name)
    except Unclear as problem:
        raise Refusal(code, str(problem)) from None


def whole(text: str, least: int, most: int) -> int | None:
    """The whole number that the text is, or None where it is none from `least` to `most`."""
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX):
        return None
    return int(text) if least <= int(text) <= most else None


def number(request: Node) -> str:
    """The recipient, E.164 digits."""
    to = once(request, "to", "E110")
    if not to:
        raise Refusal("E110", "to is missing")
    if "," in to or ";" in to or len(to.split()) > 1:
        raise Refusal("E110", "to must be one number")
    digits = to.removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise Refusal("E110", "to must be a number in international format: country code and digits only")
    if routing.region(digits) is None:
        raise Refusal("E110", f"to is not a possible number: {digits[:20]}")
    return digits


def requested_sender(request: Node, account: Account) -> str:
    sender = once(request, "from", "E111")
    if not sender:
        raise Refusal("E111", "from is missing")
    if not account.senders.filter(address=sender).exists():
        raise Refusal("E111", f"from is not one of the account's sender addresses: {sender[:20]}")
    return sender


def template(request: Node, account: Account) -> Template:
    mms_id = once(request, "mms_id")
    if not mms_id:
        raise Refusal("E620", "mms-id is missing")
    key = whole(mms_id, 1, ID_MAX)
    found = Template.objects.filter(account=account, pk=key).first() if key else None
    if found is None:
        raise Refusal("E241", f"There is no mms-id {mms_id[:20]} in this account")
    if found.status == Template.Status.ENCODING:
        raise Refusal("E626", f"The audio or video of mms-id {key} is being encoded; wait for its postback N003")
    if found.status == Template.Status.FAILED:
        raise Refusal("E629", f"mms-id {key} cannot be sent: {found.problem}")
    return found


def service(request: Node, account: Account) -> Service:
    code = once(request, "service_id", "E627")
    if not code:
        raise Refusal("E627", "service-id is missing")
    found = Service.objects.filter(account=account, code=code).first()
    if found is None:
        raise Refusal("E627", f"service-id is not one of the account's: {code[:40]}")
    return found


def operator(request: Node) -> Carrier | None:
    """The carrier that the customer names by operator-id, or None where he leaves it to us."""
    operator_id = once(request, "operator_id", "E650")
    if not operator_id:
        return None
    given = whole(operator_id, 0, OPERATOR_ID_MAX)
    if given is None:
        raise Refusal("E650", "operator-id must be a whole number")
    found = Carrier.objects.filter(operator_id=given).first()
    if found is None:
        raise Refusal("E651", f"operator-id {operator_id} is unknown")
    return found


def fallback_text(request: Node, account: Account) -> str:
    text = long_text(request, "fallback_sms_text", "fallback-sms-text")
    if not text and account.fallback_text_required:
        raise Refusal("E622", "fallback-sms-text is missing, and this account requires it")
    return text


def checked_subject(text: str, wire: str) -> str:
    """The subject with its merge tags filled, where an MMSC would take it."""
    problem = subject_problem(text)
    if problem:
        raise Refusal("E314", f"{wire}: {problem}")
    return text


def long_text(request: Node, name: str, wire: str) -> str:
    text = once(request, name)
    if len(text) > TEXT_MAX:
        raise Refusal("E228", f"{wire} has {len(text)} characters; {TEXT_MAX} are allowed")
    return text


def short_text(request: Node, name: str, wire: str, longest: int) -> str:
    text = once(request, name)
    if len(text) > longest:
        raise Refusal("E100", f"{wire} has {len(text)} characters; {longest} are allowed")
    return text


def flag(request: Node, name: str, wire: str) -> bool:
    word = once(request, name).lower()
    if word not in {"", "true", "false"}:
        raise Refusal("E100", f"{wire} must be true or false")
    return word == "true"


def ddm_timeout(request: Node) -> int:
    """The deadline of a discovery in minutes."""
    text = once(request, "ddm_timeout")
    if not text:
        return DDM_TIMEOUT_DEFAULT
    minutes = whole(text, 1, DDM_TIMEOUT_MAX)
    if minutes is None:
        raise Refusal("E100", f"ddm-message-timeout must be a whole number of minutes from 1 to {DDM_TIMEOUT_MAX}")
    return minutes
