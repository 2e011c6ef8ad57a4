"""The catalogue of errors and what is really answered."""

import re

from mms.api.dialects import SKYCORE_CODES
from mms.api.errors import CATALOGUE
from tests.api.test_media_failures import FILE_FAILURES, STATUS_FAILURES, TOGETHER_FAILURES
from tests.api.test_reading import LIST_FAILURES
from tests.api.test_save_failures import IMAGE_FAILURES, SAVE_FAILURES
from tests.api.test_send_failures import SEND_FAILURES, WORLD_FAILURES


def test_these_are_all_codes_of_the_catalogue_but_the_two_that_no_request_alone_can_cause() -> None:
    tables = (SEND_FAILURES, WORLD_FAILURES, SAVE_FAILURES, IMAGE_FAILURES, LIST_FAILURES)
    answered = {code for table in tables for _, expected in table for code in re.findall(r"E\d{3}", expected.decode())}
    media = [expected for *_, expected in FILE_FAILURES] + [e for _, e in (*STATUS_FAILURES, *TOGETHER_FAILURES)]
    answered |= {code for expected in media for code in re.findall(r"E\d{3}", expected.decode())}
    # E108 is answered to what is no request at all, E503 when something of ours breaks.
    assert answered | set(SKYCORE_CODES.values()) | {"E108", "E503"} == set(CATALOGUE)
