"""The error catalogue: its codes are those that the tests of failures cover."""

import re

from mms.api.errors import CATALOGUE
from tests.api.test_malformed_requests import NON_REQUESTS, NOT_WELL_FORMED
from tests.api.test_media_failures import EXCLUSIVE_FAILURES, FILE_FAILURES, STATUS_FAILURES
from tests.api.test_read_actions import LIST_FAILURES
from tests.api.test_refusals_in_dialects import SKYCORE_FAILURES
from tests.api.test_save_mms_failures import IMAGE_FAILURES, SAVE_FAILURES
from tests.api.test_send_saved_mms_failures import SEND_FAILURES
from tests.api.test_send_saved_mms_refusals import STATE_FAILURES


def codes(expected: bytes) -> set[str]:
    return set(re.findall(r"E\d{3}", expected.decode()))


def test_every_code_except_e503_is_tested() -> None:
    tables = (SEND_FAILURES, STATE_FAILURES, SAVE_FAILURES, IMAGE_FAILURES, LIST_FAILURES, FILE_FAILURES)
    more = (STATUS_FAILURES, EXCLUSIVE_FAILURES, NOT_WELL_FORMED.values(), NON_REQUESTS.values())
    answered = set().union(*(codes(row[-1]) for table in (*tables, *more) for row in table))
    answered |= {code for _, code, _ in SKYCORE_FAILURES}
    # test_internal_errors.py covers E503.
    assert answered | {"E503"} == set(CATALOGUE)
