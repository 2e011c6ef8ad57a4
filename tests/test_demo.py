"""Parts of the demo: processes, requests, the reset before a run, and the text of failed checks.

`manage.py demo --once` checks the scenarios themselves, with real processes.
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

# Prints its process id and that of a child, which outlives it unless it is killed.
PARENT = "import os, subprocess, sys; c = subprocess.Popen(['sleep', '60']); print(os.getpid(), c.pid); c.wait()"
FAILING = "import sys; sys.exit('port 1 is taken')"


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    for name, code in {"parent": PARENT, "failing": FAILING}.items():
        (tmp_path / f"{name}.py").write_text(code)
    return Processes(tmp_path, {}, tmp_path / "logs")


def test_leaving_the_context_stops_processes_and_children(processes: Processes) -> None:
    with processes:
        processes.start("parent", "parent")
        processes.wait_for("its first output", lambda: processes.log_path("parent").read_text().endswith("\n"))
        started = [psutil.Process(int(pid)) for pid in processes.log_path("parent").read_text().split()]

    _, alive = psutil.wait_procs(started, timeout=5)
    assert len(started) == 2
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_kill_includes_children_and_a_restart_appends_to_the_log(processes: Processes) -> None:
    log = processes.log_path("parent")
    with processes:
        processes.start("parent", "parent")
        processes.wait_for("its first output", lambda: log.read_text().endswith("\n"))
        first = [psutil.Process(int(pid)) for pid in log.read_text().split()]
        processes.kill("parent")
        processes.check_alive()
        processes.start("parent", "parent")
        processes.wait_for("further output", lambda: log.read_text().count("\n") == 2)

    _, alive = psutil.wait_procs(first, timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_raise_keyboard_interrupt_and_are_restored(processes: Processes, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with pytest.raises(KeyboardInterrupt), processes:
        signal.raise_signal(number)

    assert signal.getsignal(number) == before


def test_exited_process_is_reported_with_the_end_of_its_log(processes: Processes) -> None:
    with processes:
        processes.start("failing", "failing")
        with pytest.raises(DemoError, match=r"(?s)failing exited with status 1.*port 1 is taken"):
            processes.wait_for("nothing", lambda: False)


def test_wait_for_times_out_with_the_name_of_the_condition(processes: Processes) -> None:
    with processes, pytest.raises(TimedOut, match="waiting for the moon"):
        processes.wait_for("the moon", lambda: False, timeout=0.01)


def test_seed_request_is_byte_identical_to_the_documented_one() -> None:
    from simulator.demo.scenarios import SEED_REQUEST

    assert SEED_REQUEST.body == SEED.encode()


@pytest.mark.django_db
def test_reset_forgets_handsets_and_closes_discoveries() -> None:
    from handsets import cache
    from handsets.cache import Sighting
    from handsets.models import CachedHandset
    from mms.models import Carrier, Discovery
    from simulator.demo import sample_data, scenarios

    account = sample_data.load("http://127.0.0.1:9")
    now, number = datetime.now(UTC), scenarios.NUMBERS[0]
    cache.record_sightings([Sighting(number, "a handset", CachedHandset.Source.DDM_REPORT, now)])
    values = {
        "sender": sample_data.SENDER,
        "carrier": Carrier.objects.get(slug=sample_data.CARRIER),
        "account": account,
    }
    opened = {"status": "submitted", "due_at": now, "expires_at": now, "created_at": now}
    Discovery.objects.create(number=number, **values, **opened)

    sample_data.reset(scenarios.NUMBERS)

    assert cache.find_handsets([number], now) == {}
    assert not Discovery.objects.filter(due_at__isnull=False).exists()


@pytest.mark.django_db
def test_reset_and_fund_restore_the_initial_balance() -> None:
    from billing import ledger
    from billing.models import Balance
    from mms.models import Message
    from simulator.demo import sample_data, scenarios

    account = sample_data.load("http://127.0.0.1:9")
    sample_data.fund(account)
    for status, settled in (("accepted", 0), ("submitted", sample_data.PRICES["mms"])):
        message = create_unfinished_message(account, scenarios.NUMBERS[0], status)
        ledger.reserve(account, message.pk, message.reserved, message.created_at)
        if settled:
            charge = ledger.Charge(account.pk, message.pk, settled, message.reserved)
            ledger.charge([charge], message.created_at)

    sample_data.reset(scenarios.NUMBERS)
    sample_data.fund(account)

    assert not Message.objects.exists()
    balance = Balance.objects.get()
    assert (balance.balance, balance.reserved) == (sample_data.FUNDS, 0)
    assert ledger.reconcile() == []


def create_unfinished_message(account: "Account", number: str, status: str) -> "Message":
    """Create a message that an interrupted run has left unfinished."""
    from mms.models import Carrier, Message, Template
    from simulator.demo import sample_data

    now = datetime.now(UTC)
    return Message.objects.create(
        account=account,
        template=Template.objects.create(account=account, name="Spring", subject="Spring is here"),
        carrier=Carrier.objects.get(slug=sample_data.CARRIER),
        number=number,
        sender=sample_data.SENDER,
        status=status,
        due_at=now,
        expires_at=now,
        created_at=now,
        price_mms=sample_data.PRICES["mms"],
        reserved=sum(sample_data.PRICES.values()),
    )


def test_failed_check_shows_expected_and_actual_value() -> None:
    from simulator.demo.checks import Check

    text = str(Check("postbacks received, in order", "N101 N102", "N101"))

    assert text == "FAILED  postbacks received, in order: expected N101 N102, got N101"
