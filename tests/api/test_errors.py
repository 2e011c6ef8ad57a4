"""The catalogue of errors and what is really answered."""

import re

from mms.api.errors import CATALOGUE
from tests.api.test_malformed_requests import NO_REQUESTS, NOT_WELL_FORMED
from tests.api.test_media_failures import FILE_FAILURES, STATUS_FAILURES, TOGETHER_FAILURES
from tests.api.test_read_actions import LIST_FAILURES
from tests.api.test_refusals_in_dialects import SKYCORE_FAILURES
from tests.api.test_save_mms_failures import IMAGE_FAILURES, SAVE_FAILURES
from tests.api.test_send_saved_mms_failures import SEND_FAILURES, WORLD_FAILURES


def codes(expected: bytes) -> set[str]:
    return set(re.findall(r"E\d{3}", expected.decode()))


def test_these_are_all_codes_of_the_catalogue_but_the_one_that_no_request_causes() -> None:
    tables = (SEND_FAILURES, WORLD_FAILURES, SAVE_FAILURES, IMAGE_FAILURES, LIST_FAILURES, FILE_FAILURES)
    more = (STATUS_FAILURES, TOGETHER_FAILURES, NOT_WELL_FORMED.values(), NO_REQUESTS.values())
    answered = set().union(*(codes(row[-1]) for table in (*tables, *more) for row in table))
    answered |= {code for _, code, _ in SKYCORE_FAILURES}
    # E503 is answered when something of ours breaks (test_internal_errors.py).
    assert answered | {"E503"} == set(CATALOGUE)
