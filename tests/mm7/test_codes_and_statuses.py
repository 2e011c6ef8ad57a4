"""Tests of the tables for status codes and MMStatus values."""

import pytest

from mms.mm7.codes import SINCH_OVERRIDES, outcome
from mms.mm7.status import read_status
from mms.protocol.reports import ReportStatus
from mms.protocol.submit import Outcome

P, T = Outcome.PERMANENT, Outcome.TRANSIENT


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((1000, 1100), Outcome.SUBMITTED),
        ((2000, 2001, 2002, 2003, 2005, 2006, 2007, 2008, 2009), P),
        ((2004,), Outcome.CONTENT_REFUSED),
        ((3000,), T),
        ((3001, 3002, 3003, 3004), P),
        ((4000,), Outcome.LIMITED),
        ((4001, 4002, 4003, 4004, 4005, 4007, 4008), P),
        ((4006,), T),
        ((2500, 2550, 2568), P),
        ((2569, 3500, 3510), T),
    ],
)
def test_known_code_has_its_outcome(codes: tuple[int, ...], expected: Outcome) -> None:
    assert {outcome(code) for code in codes} == {expected}


@pytest.mark.parametrize(
    ("code", "expected"),
    [(1999, Outcome.SUBMITTED), (2999, P), (3999, T), (4999, P), (0, P), (6102, P), (100000, P)],
)
def test_unknown_code_follows_its_range(code: int, expected: Outcome) -> None:
    assert outcome(code) is expected


def test_carrier_overrides_take_precedence_for_codes() -> None:
    assert outcome(3003, SINCH_OVERRIDES) is T
    assert outcome(6102, {6102: Outcome.LIMITED}) is Outcome.LIMITED
    assert outcome(3001, SINCH_OVERRIDES) is P


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Expired", ReportStatus.EXPIRED),
        ("RETRIEVED", ReportStatus.RETRIEVED),
        (" rejected\n", ReportStatus.REJECTED),
        ("Indeterminate", ReportStatus.INDETERMINATE),
        ("Forwarded", ReportStatus.FORWARDED),
        ("deferred", ReportStatus.DEFERRED),
        ("Unreachable", ReportStatus.UNREACHABLE),
        ("Unrecognised", ReportStatus.UNRECOGNISED),
        ("Unrecognized", ReportStatus.UNRECOGNISED),
        ("NotSupported", ReportStatus.NOT_SUPPORTED),
        ("not_supported", ReportStatus.NOT_SUPPORTED),
        ("Delivery condition not met", ReportStatus.CONDITION_NOT_MET),
        ("DeliveryConditionNotMet", ReportStatus.CONDITION_NOT_MET),
        ("Delivered", ReportStatus.RETRIEVED),
        ("Message Delivered", ReportStatus.RETRIEVED),
        ("DELIVRD", ReportStatus.RETRIEVED),
        ("Undeliverable", ReportStatus.FAILED),
        ("Not delivered", ReportStatus.FAILED),
        ("System Error", ReportStatus.FAILED),
        ("system-error", ReportStatus.FAILED),
        ("Refused", ReportStatus.REJECTED),
        ("Unsupported", ReportStatus.NOT_SUPPORTED),
        ("Unknown subscriber", ReportStatus.UNRECOGNISED),
        ("Pending", ReportStatus.DEFERRED),
        ("Teleported", ReportStatus.UNKNOWN),
        ("1000", ReportStatus.UNKNOWN),
        ("", ReportStatus.UNKNOWN),
    ],
)
def test_status_is_recognised_in_any_spelling(text: str, expected: ReportStatus) -> None:
    assert read_status(text) is expected


def test_carrier_overrides_take_precedence_for_statuses() -> None:
    overrides = {"1000": ReportStatus.RETRIEVED, "Forwarded": ReportStatus.RETRIEVED}
    assert read_status(" 1000 ", overrides) is ReportStatus.RETRIEVED
    assert read_status("Forwarded", overrides) is ReportStatus.RETRIEVED
    assert read_status("Expired", overrides) is ReportStatus.EXPIRED


def test_only_interim_statuses_are_not_final() -> None:
    assert {status for status in ReportStatus if not status.is_final} == {
        ReportStatus.FORWARDED,
        ReportStatus.DEFERRED,
        ReportStatus.INDETERMINATE,
        ReportStatus.UNKNOWN,
    }
