"""What the measures stand on: each would mean nothing if its scene were another."""

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mms.messages import sweeper
from mms.models import Discovery, Message, Postback, Status
from simulator.bench import BenchError, crash, handsets, memory, sweep
from simulator.bench.measures import MEASURES

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
SUCCESS = "<response><status>Success</status><tracking-id>{}</tracking-id></response>"
FAILURE = "<response><status>Failure</status><error-code>E500</error-code></response>"


def waiting() -> tuple[int, int]:
    messages = Message.objects.filter(status=Status.DISCOVERING)
    return messages.count(), Discovery.objects.filter(status=Status.SUBMITTED).count()


@pytest.mark.django_db
def test_as_many_are_due_as_milliseconds_have_passed() -> None:
    sweep.store(0, 20, BEGIN)
    sweep.store(20, 10, BEGIN)
    assert waiting() == (30, 30)

    sweeper.sweep(BEGIN + timedelta(milliseconds=7))
    assert waiting() == (23, 23)
    sweeper.sweep(BEGIN + timedelta(milliseconds=25))
    assert waiting() == (5, 5)
    # Their customers were told of the DDM before: its deadline is not worth a postback.
    assert not Postback.objects.exists()


@pytest.mark.django_db
def test_those_that_wait_are_not_stored_in_the_order_in_which_they_are_due() -> None:
    sweep.store(0, 20, BEGIN)

    stored, due = (list(Message.objects.order_by(by).values_list("pk", flat=True)) for by in ("pk", "due_at"))

    assert stored != due


def test_only_success_is_an_acknowledgement() -> None:
    answers = [SUCCESS.format("TU1TXzE="), FAILURE, SUCCESS.format("TU1TXzI=")]

    assert crash.acknowledged(answers) == [1, 2]


@pytest.mark.parametrize(
    "answers", [[], ["<response><status>Failure</status></response>"], [SUCCESS.format("TU1TXzE=")] * 2]
)
def test_a_kill_that_nothing_was_acknowledged_before_proves_nothing(answers: list[str]) -> None:
    with pytest.raises(BenchError, match="acknowledged accepts"):
        crash.acknowledged(answers)


def test_a_photograph_in_other_bytes_shows_the_same() -> None:
    file = BytesIO()
    Image.linear_gradient("L").save(file, "JPEG")

    others = [handsets.another(file.getvalue(), comment) for comment in ("one", "two")]

    assert len({file.getvalue(), *others}) == 3
    pictures = [Image.open(BytesIO(data)) for data in (file.getvalue(), *others)]
    assert len({picture.tobytes() for picture in pictures}) == 1
    assert pictures[1].info["comment"] == b"one"


@pytest.mark.parametrize(
    ("messages", "portions"), [(500, [500]), (10_000, [5_000] * 2), (12_000, [5_000, 5_000, 2_000])]
)
def test_messages_are_sent_in_portions_that_the_memory_holds(messages: int, portions: list[int]) -> None:
    assert list(memory.portions(messages)) == portions


def test_every_measure_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()

    assert re.findall(r"^\| (\w+) \|", text.partition("## The bench")[2].partition("##")[0], re.MULTILINE)[1:] == [
        *MEASURES
    ]
