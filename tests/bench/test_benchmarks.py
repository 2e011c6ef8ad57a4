"""Preconditions of the benchmarks: their figures are meaningful only with the intended data."""

import re
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from mms.messages import sweeper
from mms.models import Discovery, Message, Postback, Status
from simulator.bench import BenchError, cold_renditions, crash, memory, sweep
from simulator.bench.benchmarks import BENCHMARKS

BEGIN = datetime(2026, 11, 22, 12, tzinfo=UTC)
SUCCESS = "<response><status>Success</status><tracking-id>{}</tracking-id></response>"
FAILURE = "<response><status>Failure</status><error-code>E500</error-code></response>"


def count_waiting() -> tuple[int, int]:
    messages = Message.objects.filter(status=Status.DISCOVERING)
    return messages.count(), Discovery.objects.filter(status=Status.SUBMITTED).count()


@pytest.mark.django_db
def test_one_message_falls_due_per_millisecond() -> None:
    sweep.store_waiting(0, 20, BEGIN)
    sweep.store_waiting(20, 10, BEGIN)
    assert count_waiting() == (30, 30)

    sweeper.sweep(BEGIN + timedelta(milliseconds=7))
    assert count_waiting() == (23, 23)
    sweeper.sweep(BEGIN + timedelta(milliseconds=25))
    assert count_waiting() == (5, 5)
    # The customers already have the postback on the DDM; its deadline causes no further one.
    assert not Postback.objects.exists()


@pytest.mark.django_db
def test_waiting_messages_are_not_stored_in_due_order() -> None:
    sweep.store_waiting(0, 20, BEGIN)

    stored, due = (list(Message.objects.order_by(by).values_list("pk", flat=True)) for by in ("pk", "due_at"))

    assert stored != due


def test_acknowledged_includes_only_success() -> None:
    answers = [SUCCESS.format("TU1TXzE="), FAILURE, SUCCESS.format("TU1TXzI=")]

    assert crash.acknowledged(answers) == [1, 2]


@pytest.mark.parametrize(
    "answers", [[], ["<response><status>Failure</status></response>"], [SUCCESS.format("TU1TXzE=")] * 2]
)
def test_crash_without_acknowledgements_raises_bench_error(answers: list[str]) -> None:
    with pytest.raises(BenchError, match="acknowledgements of"):
        crash.acknowledged(answers)


def test_comment_changes_the_bytes_but_not_the_picture() -> None:
    file = BytesIO()
    Image.linear_gradient("L").save(file, "JPEG")

    variants = [cold_renditions.with_comment(file.getvalue(), comment) for comment in ("one", "two")]

    assert len({file.getvalue(), *variants}) == 3
    pictures = [Image.open(BytesIO(data)) for data in (file.getvalue(), *variants)]
    assert len({picture.tobytes() for picture in pictures}) == 1
    assert pictures[1].info["comment"] == b"one"


@pytest.mark.parametrize(("messages", "sizes"), [(500, [500]), (10_000, [5_000] * 2), (12_000, [5_000, 5_000, 2_000])])
def test_messages_are_sent_in_batches(messages: int, sizes: list[int]) -> None:
    assert list(memory.batch_sizes(messages)) == sizes


def test_every_benchmark_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()

    assert re.findall(r"^\| (\w+) \|", text.partition("## Benchmarks")[2].partition("##")[0], re.MULTILINE)[1:] == [
        *BENCHMARKS
    ]
