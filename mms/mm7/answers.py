"""Interpretation of an MMSC's answer to a SubmitReq."""

import re
from collections.abc import Mapping
from typing import Final

from lxml import etree

from mms.mm7.codes import NO_OVERRIDES, outcome
from mms.mm7.soap import MAX_ID, Malformed, find, find_all, read_envelope, text, value
from mms.protocol.submit import Outcome, SubmitResult

MAX_TEXT: Final = 500  # characters of the MMSC's explanation that are kept

# A status code in prose, as in "2007: Message format corrupt"; not a year, a port or part of a longer number.
_CODE_IN_PROSE: Final = re.compile(r"(?<!\d)(?<!\d[.:-])([2-4]\d{3})(?!\d)(?!-\d)")

# HTTP statuses that mean not accepted now, perhaps later. They include 401, 403 and 404, which point to a
# misconfiguration that can be fixed, not to the message.
_TRANSIENT: Final = frozenset({401, 403, 404, 408, 429, 500, 503})


def read_answer(
    http_status: int, content_type: str, body: bytes, overrides: Mapping[int, Outcome] = NO_OVERRIDES
) -> SubmitResult:
    """Return the result in an HTTP response: a SubmitRsp, an error response or a Fault, under any HTTP status.

    `overrides` maps status codes to the carrier's own outcomes. Without readable SOAP, the HTTP status decides.
    Never raises.
    """
    try:
        root = read_envelope(content_type, body)
    except Malformed as error:
        return _result_by_http_status(http_status, str(error))
    fault = find(root, "fault")
    if fault is not None:
        return _read_fault(fault, overrides)
    response = find(root, "submitrsp", "rserrorrsp", "vasperrorrsp")
    if response is not None:
        return _read_response(http_status, response, overrides)
    return _result_by_http_status(http_status, "neither SubmitRsp nor Fault in the answer")


def _read_response(http_status: int, response: etree._Element, overrides: Mapping[int, Outcome]) -> SubmitResult:
    code = _status_code(response)
    message_id = _message_id(response)
    if code is not None:
        return SubmitResult(outcome(code, overrides), code, _explanation(response), message_id)
    if message_id:  # the MMSC assigned an ID, so it accepted the message
        return SubmitResult(Outcome.SUBMITTED, None, _explanation(response), message_id)
    return _result_by_http_status(http_status, _explanation(response) or "no StatusCode in the answer")


def _read_fault(fault: etree._Element, overrides: Mapping[int, Outcome]) -> SubmitResult:
    explanation = _explanation(fault) or value(fault, "faultstring")[:MAX_TEXT]
    message_id = _message_id(fault)
    code = _status_code(fault) or _code_in_prose(fault)
    if code is None:
        return SubmitResult(_by_faultcode(value(fault, "faultcode")), None, explanation, message_id)
    result = outcome(code, overrides)
    if result is Outcome.SUBMITTED:  # a Fault with a success code is contradictory
        result = Outcome.IN_DOUBT
    return SubmitResult(result, code, explanation, message_id)


def _message_id(element: etree._Element) -> str | None:
    return value(element, "messageid")[:MAX_ID] or None


def _result_by_http_status(http_status: int, why: str) -> SubmitResult:
    return SubmitResult(_by_http_status(http_status), None, f"HTTP {http_status}: {why}"[:MAX_TEXT], None)


def _by_http_status(http_status: int) -> Outcome:
    if http_status in _TRANSIENT or 300 <= http_status < 400:
        return Outcome.TRANSIENT
    if 400 <= http_status < 500:
        return Outcome.PERMANENT
    return Outcome.IN_DOUBT  # 2xx without SOAP, or a gateway error after the request was forwarded


def _by_faultcode(faultcode: str) -> Outcome:
    """Return the outcome by SOAP 1.1, 4.4.1: Server faults may succeed later, all others need a different message."""
    return Outcome.TRANSIENT if "server" in faultcode.lower() else Outcome.PERMANENT


def _status_code(element: etree._Element) -> int | None:
    codes = (re.fullmatch(r"0*([0-9]{1,9})", text(each)) for each in find_all(element, "statuscode"))
    return next((int(code[1]) for code in codes if code), None)


def _code_in_prose(fault: etree._Element) -> int | None:
    found = (_CODE_IN_PROSE.search(value(fault, name)) for name in ("faultstring", "faultcode", "detail"))
    return next((int(code[1]) for code in found if code), None)


def _explanation(element: etree._Element) -> str:
    words = (value(element, "statustext"), value(element, "details"))
    return ": ".join(word for word in words if word)[:MAX_TEXT]
