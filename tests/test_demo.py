"""The demo's own parts: its processes, its requests, what it forgets and how it tells a difference.

The story itself is checked by `manage.py demo --once`, on real processes.
"""

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import pytest

from simulator.demo.processes import DemoError, Processes, TimedOut
from tests.wire import SEED

if TYPE_CHECKING:
    from billing.models import Account
    from mms.models import Message

# Says its process id and that of a child, which outlives it if nobody ends that.
PARENT = "import os, subprocess, sys; c = subprocess.Popen(['sleep', '60']); print(os.getpid(), c.pid); c.wait()"
FAILING = "import sys; sys.exit('port 1 is taken')"


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    for name, code in {"parent": PARENT, "failing": FAILING}.items():
        (tmp_path / f"{name}.py").write_text(code)
    return Processes(tmp_path, {}, tmp_path / "logs")


def test_processes_end_with_their_children(processes: Processes) -> None:
    with processes:
        processes.start("parent", "parent")
        processes.wait_for("its first words", lambda: processes.log("parent").read_text().endswith("\n"))
        started = [psutil.Process(int(pid)) for pid in processes.log("parent").read_text().split()]

    _, alive = psutil.wait_procs(started, timeout=5)
    assert len(started) == 2
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_killed_process_takes_its_children_along_and_goes_on_in_its_log(processes: Processes) -> None:
    log = processes.log("parent")
    with processes:
        processes.start("parent", "parent")
        processes.wait_for("its first words", lambda: log.read_text().endswith("\n"))
        first = [psutil.Process(int(pid)) for pid in log.read_text().split()]
        processes.kill("parent")
        processes.check()
        processes.start("parent", "parent")
        processes.wait_for("further words", lambda: log.read_text().count("\n") == 2)

    _, alive = psutil.wait_procs(first, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_every_signal_that_ends_the_demo_ends_its_processes_first(processes: Processes, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), processes:
        signal.raise_signal(number)

    assert signal.getsignal(number) == before


def test_a_process_that_ends_is_named_with_its_last_words(processes: Processes) -> None:
    with processes:
        processes.start("failing", "failing")
        with pytest.raises(DemoError, match=r"(?s)failing ended with exit status 1.*port 1 is taken"):
            processes.wait_for("nothing", lambda: False)


def test_a_wait_ends_with_what_was_waited_for(processes: Processes) -> None:
    with processes, pytest.raises(TimedOut, match="for the moon"):
        processes.wait_for("the moon", lambda: False, patience=0.01)


def test_the_seed_request_is_the_documented_one_byte_for_byte() -> None:
    from simulator.demo.story import FIRST

    assert FIRST.body == SEED.encode()


@pytest.mark.django_db
def test_a_run_forgets_what_earlier_runs_learnt_and_left_open() -> None:
    from handsets import cache
    from handsets.models import CachedHandset
    from mms.models import Carrier, Discovery
    from simulator.demo import story, world

    account = world.load("http://127.0.0.1:9")
    now, number = datetime.now(UTC), story.NUMBERS[0]
    cache.record_sighting(number, "a handset", CachedHandset.Source.DDM_REPORT, now)
    values = {"sender": world.SENDER, "carrier": Carrier.objects.get(slug=world.CARRIER), "account": account}
    opened = {"status": "submitted", "due_at": now, "expires_at": now, "created_at": now}
    Discovery.objects.create(number=number, **values, **opened)

    world.forget(story.NUMBERS)

    assert cache.find_handsets([number], now) == {}
    assert not Discovery.objects.filter(due_at__isnull=False).exists()


@pytest.mark.django_db
def test_a_run_gives_back_what_an_interrupted_one_reserved_and_begins_with_the_same_funds() -> None:
    from billing import ledger
    from billing.models import Balance
    from mms.models import Message
    from simulator.demo import story, world

    account = world.load("http://127.0.0.1:9")
    world.fund(account)
    for status, settled in (("accepted", 0), ("submitted", world.PRICES["mms"])):
        message = interrupted(account, story.NUMBERS[0], status)
        ledger.reserve(account, message.pk, message.reserved, message.created_at)
        if settled:
            charge = ledger.Charge(account.pk, message.pk, settled, message.reserved)
            ledger.charge([charge], message.created_at)

    world.forget(story.NUMBERS)
    world.fund(account)

    assert not Message.objects.exists()
    balance = Balance.objects.get()
    assert (balance.balance, balance.reserved) == (world.FUNDS, 0)
    assert ledger.reconcile() == []


def interrupted(account: "Account", number: str, status: str) -> "Message":
    """A message that a run left under way."""
    from mms.models import Carrier, Message, Template
    from simulator.demo import world

    now = datetime.now(UTC)
    return Message.objects.create(
        account=account,
        template=Template.objects.create(account=account, name="Spring", subject="Spring is here"),
        carrier=Carrier.objects.get(slug=world.CARRIER),
        number=number,
        sender=world.SENDER,
        status=status,
        due_at=now,
        expires_at=now,
        created_at=now,
        price_mms=world.PRICES["mms"],
        reserved=sum(world.PRICES.values()),
    )


def test_a_check_that_differs_says_what_was_expected_and_found() -> None:
    from simulator.demo.checks import Check

    told = str(Check("postbacks received, in order", "N101 N102", "N101"))

    assert told == "DIFFERS  postbacks received, in order: expected N101 N102, found N101"
