"""How long a customer's postbacks take while the server of another one hangs, beside the same without that one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median, quantiles

from django.conf import settings
from django.utils import timezone

from billing.models import Account
from config.embedded.ports import HOST, free_port
from mms.models import Postback, PostbackAttempt
from mms.postbacks import notifier
from mms.runtime import wakeup
from simulator.bench.figures import Figure, Series, alternate, at_most
from simulator.bench.running import CELERY
from simulator.bench.stage import Stage, child_environment
from simulator.demo.http_client import is_responding
from simulator.demo.processes import Processes

IN_FLIGHT = notifier.LIMITS.per_destination  # to one account, in each process
A_SECOND = 50
# More than can be tried while the server hangs.
BACKLOG = 1_000


def isolation(stage: Stage) -> list[Figure]:
    """The 99th percentile of the time from due to taken, of postbacks that fall due one by one. Raises DemoError."""
    with _processes(stage) as platform, _customer(stage, "ok") as healthy:
        for name in ("notifier", "beat"):
            platform.start(name, "celery", "-A", "config", *CELERY[name], "--loglevel", "info")
        _latencies(platform, healthy, 1)  # it comes up
        hung, alone = alternate(
            stage.rounds,
            lambda: _beside_one_that_hangs(stage, platform, healthy),
            lambda: _latencies(platform, healthy, stage.seconds),
        )
    return [
        Figure(
            Series("a customer's postbacks while another's server hangs, 99th percentile", "ms", _slowest(hung)),
            Series("without that one", "ms", _slowest(alone)),
            at_most(2.0),
            (
                f"{A_SECOND} a second fall due, one by one",
                f"of the other's, {IN_FLIGHT} hang in each worker process and {BACKLOG:,} are due",
                f"medians: {_middle(hung):.0f} ms, without the one that hangs {_middle(alone):.0f} ms",
            ),
        )
    ]


def _slowest(rounds: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(quantiles(latencies, n=100)[98] for latencies in rounds)


def _middle(rounds: Sequence[Sequence[float]]) -> float:
    return median(median(latencies) for latencies in rounds)


def _beside_one_that_hangs(stage: Stage, platform: Processes, healthy: Account) -> list[float]:
    with _customer(stage, "hang") as hanging:
        _fall_due(hanging, BACKLOG)
        wakeup.wake(wakeup.NOTIFY)
        tries = PostbackAttempt.objects.filter(postback__account=hanging)
        platform.wait_for("tries to hang", lambda: tries.count() >= IN_FLIGHT)
        latencies = _latencies(platform, healthy, stage.seconds)
        # No try more once the server is gone.
        Postback.objects.filter(account=hanging).update(status=Postback.Status.GIVEN_UP, due_at=None)
    return latencies


def _latencies(platform: Processes, account: Account, seconds: int) -> list[float]:
    """Milliseconds from being due to being taken, of the postbacks of so many seconds."""
    keys = []
    begin = time.monotonic()
    for number in range(A_SECOND * seconds):
        time.sleep(max(0.0, begin + number / A_SECOND - time.monotonic()))
        keys += _fall_due(account, 1)
        wakeup.wake(wakeup.NOTIFY)
    taken = Postback.objects.filter(pk__in=keys, status=Postback.Status.DELIVERED)
    platform.wait_for("postbacks to be taken", lambda: taken.count() == len(keys))
    moments = taken.values_list("created_at", "ended_at")
    return [(ended - created).total_seconds() * 1000 for created, ended in moments if ended]


def _fall_due(account: Account, count: int) -> list[int]:
    """So many postbacks that are due now; their keys."""
    now = timezone.now()
    due = Postback.objects.bulk_create(
        Postback(account=account, code="N101", fields={"code": "N101"}, due_at=now, created_at=now)
        for _ in range(count)
    )
    return [postback.pk for postback in due]


@contextmanager
def _customer(stage: Stage, behaviour: str) -> Iterator[Account]:
    """A customer whose server of his own takes postbacks as that word tells the simulator."""
    port = free_port()
    with _processes(stage) as processes:
        processes.start(behaviour, "simulator", "--port", str(port), "--report-url", f"http://{HOST}:9")
        processes.wait_for("a customer's server", lambda: is_responding(port, "/log"))
        url = f"http://{HOST}:{port}/postbacks/{behaviour}"
        yield Account.objects.create(name=f"{behaviour} {port}", postback_url=url)


def _processes(stage: Stage) -> Processes:
    environment = child_environment(DATABASE_URL=stage.database_url, OUTBOUND_ALLOWED_NETWORKS="127.0.0.0/8")
    return Processes(settings.BASE_DIR, environment, stage.folder)
