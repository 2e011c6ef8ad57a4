"""The tables that turn an MMSC's words into ours."""

import pytest

from mms.mm7.codes import SINCH, Outcome, outcome
from mms.mm7.status import MMStatus, read_status

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
def test_a_known_code_has_its_outcome(codes: tuple[int, ...], expected: Outcome) -> None:
    assert {outcome(code) for code in codes} == {expected}


@pytest.mark.parametrize(
    ("code", "expected"),
    [(1999, Outcome.SUBMITTED), (2999, P), (3999, T), (4999, P), (0, P), (6102, P), (100000, P)],
)
def test_an_unknown_code_is_handled_by_its_thousand(code: int, expected: Outcome) -> None:
    assert outcome(code) is expected


def test_a_carriers_own_table_goes_first() -> None:
    assert outcome(3003, SINCH) is T
    assert outcome(6102, {6102: Outcome.LIMITED}) is Outcome.LIMITED
    assert outcome(3001, SINCH) is P


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Expired", MMStatus.EXPIRED),
        ("RETRIEVED", MMStatus.RETRIEVED),
        (" rejected\n", MMStatus.REJECTED),
        ("Indeterminate", MMStatus.INDETERMINATE),
        ("Forwarded", MMStatus.FORWARDED),
        ("deferred", MMStatus.DEFERRED),
        ("Unreachable", MMStatus.UNREACHABLE),
        ("Unrecognised", MMStatus.UNRECOGNISED),
        ("Unrecognized", MMStatus.UNRECOGNISED),
        ("NotSupported", MMStatus.NOT_SUPPORTED),
        ("not_supported", MMStatus.NOT_SUPPORTED),
        ("Delivery condition not met", MMStatus.CONDITION_NOT_MET),
        ("DeliveryConditionNotMet", MMStatus.CONDITION_NOT_MET),
        ("Teleported", MMStatus.UNKNOWN),
        ("1000", MMStatus.UNKNOWN),
        ("", MMStatus.UNKNOWN),
    ],
)
def test_a_status_is_known_in_any_spelling(text: str, expected: MMStatus) -> None:
    assert read_status(text) is expected


def test_numbers_are_read_by_the_carriers_table() -> None:
    numbers = {"1000": MMStatus.RETRIEVED, "Forwarded": MMStatus.RETRIEVED}
    assert read_status(" 1000 ", numbers) is MMStatus.RETRIEVED
    assert read_status("Forwarded", numbers) is MMStatus.RETRIEVED
    assert read_status("Expired", numbers) is MMStatus.EXPIRED


def test_only_statuses_that_may_still_change_are_not_final() -> None:
    assert {status for status in MMStatus if not status.is_final} == {
        MMStatus.FORWARDED,
        MMStatus.DEFERRED,
        MMStatus.INDETERMINATE,
        MMStatus.UNKNOWN,
    }
