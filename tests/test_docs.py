"""The documents agree with the code."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from mms import discovery, reports, submission
from mms.adaptation import recordings
from mms.api.errors import CATALOGUE
from mms.management.commands.apidoc import with_tables
from mms.postbacks import outbox

DOCS = Path(__file__).parent.parent / "docs"


def test_the_tables_are_those_of_the_code() -> None:
    text = (DOCS / "api.md").read_text()
    assert with_tables(text) == text, "run: python manage.py apidoc"
    assert len(re.findall(r"^\| E\d{3} \| ", text, re.MULTILINE)) >= len(CATALOGUE)


def test_the_ladders_are_as_documented() -> None:
    text = (DOCS / "flow.md").read_text()
    assert "30 s, 2 min, 10 min, 30 min, 2 h" in text
    assert [step.total_seconds() for step in submission.RETRY_LADDER] == [30, 120, 600, 1800, 7200]
    assert "| 30 s, 2 min |" in text
    assert [step.total_seconds() for step in submission.LIMITED_LADDER] == [30, 120]
    assert [step.total_seconds() for step in outbox.RETRY_LADDER] == [300] * 5
    assert (len(reports.MATCH_LADDER), submission.LOSSES_MAX) == (8, 3)


@pytest.mark.parametrize("module", [discovery, recordings])
def test_the_tables_in_the_code_stand_in_the_document(module: ModuleType) -> None:
    text = (DOCS / "flow.md").read_text()
    rows = re.findall(r"^\|(.*?)\|$", module.__doc__ or "", re.MULTILINE)[2:]
    assert rows
    for row in rows:
        assert "| " + " | ".join(cell.strip() for cell in row.split("|")) + " |" in text
