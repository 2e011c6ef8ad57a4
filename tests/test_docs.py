"""The documents agree with the code."""

import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from pytest_django.live_server_helper import LiveServer

from mms.adaptation import transcoding
from mms.api.errors import CATALOGUE
from mms.management.commands.apidoc import with_tables
from mms.messages import attempts, discovery, feed, leases, report_matching
from mms.models import Message, Status
from mms.postbacks import outbox

DOCS = Path(__file__).parent.parent / "docs"


def test_generated_tables_are_current() -> None:
    text = (DOCS / "api.md").read_text()
    assert with_tables(text) == text, "run: python manage.py apidoc"
    assert len(re.findall(r"^\| E\d{3} \| ", text, re.MULTILINE)) >= len(CATALOGUE)


def test_retry_ladders_match_the_documents() -> None:
    text = (DOCS / "flow.md").read_text()
    assert "30 s, 2 min, 10 min, 30 min, 2 h" in text
    assert [step.total_seconds() for step in attempts.RETRY_SCHEDULE] == [30, 120, 600, 1800, 7200]
    assert "| 30 s, 2 min |" in text
    assert [step.total_seconds() for step in attempts.LIMITED_SCHEDULE] == [30, 120]
    assert "| 10 s, 30 s, 1 min, 2 min, then every 2 min |" in text
    assert [step.total_seconds() for step in feed.PAUSE_SCHEDULE] == [10, 30, 60, 120]
    assert [step.total_seconds() for step in outbox.RETRY_SCHEDULE] == [300] * 5
    assert (len(report_matching.MATCH_SCHEDULE), leases.LOSSES_MAX) == (8, 3)


@pytest.mark.parametrize("module", [discovery, transcoding])
def test_docstring_tables_appear_in_the_documents(module: ModuleType) -> None:
    text = (DOCS / "flow.md").read_text()
    rows = re.findall(r"^\|(.*?)\|$", module.__doc__ or "", re.MULTILINE)[2:]
    assert rows
    for row in rows:
        assert "| " + " | ".join(cell.strip() for cell in row.split("|")) + " |" in text


def test_every_message_status_is_documented() -> None:
    (named,) = re.findall(r"`message-status` is one of (.*?);", (DOCS / "api.md").read_text(), re.DOTALL)
    assert set(re.findall(r"\w+", named)) == {*Status.values}


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_curl_examples_are_accepted(records: SimpleNamespace, live_server: LiveServer) -> None:
    (block,) = re.findall(r"```sh\n(BASE=.*?)```", (DOCS / "api.md").read_text(), re.DOTALL)
    script = re.sub(r"BASE=.*", f"BASE={live_server.url}", block).replace("curl ", "curl --silent --show-error ")
    output = subprocess.run(["sh", "-e"], input=script, capture_output=True, text=True, check=True, timeout=60).stdout
    assert output.lower().count("queued for delivery") == Message.objects.count() == block.count("\ncurl ") == 6
