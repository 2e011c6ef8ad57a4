"""Benchmark of isolation: latency of a customer's postbacks with and without a hanging server of another customer."""

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
from simulator.bench.environment import Environment, child_environment
from simulator.bench.figures import Figure, Series, alternate, at_most
from simulator.bench.platform_processes import CELERY
from simulator.demo.http_client import is_responding
from simulator.demo.processes import LOOPBACK_ALLOWED, Processes

IN_FLIGHT = notifier.LIMITS.per_destination  # to one account, per process
PER_SECOND = 50
# More postbacks than can be attempted while the server hangs.
BACKLOG = 1_000


def measure_isolation(environment: Environment) -> list[Figure]:
    """Measure the 99th percentile of the time from due to delivered, of single postbacks. Raises DemoError."""
    with _processes(environment) as platform, _customer(environment, "ok") as healthy:
        for name in ("notifier", "beat"):
            platform.start(name, "celery", "-A", "config", *CELERY[name], "--loglevel", "info")
        _latencies(platform, healthy, 1)  # wait until the notifier is ready
        hung, alone = alternate(
            environment.rounds,
            lambda: _latencies_with_hanging_server(environment, platform, healthy),
            lambda: _latencies(platform, healthy, environment.seconds),
        )
    return [
        Figure(
            Series(
                "postback latency while another customer's server hangs, 99th percentile", "ms", _percentile_99(hung)
            ),
            Series("no hanging server", "ms", _percentile_99(alone)),
            at_most(2.0),
            (
                f"{PER_SECOND} single postbacks per second",
                f"to the hanging server: {IN_FLIGHT} in flight per worker process, {BACKLOG:,} due",
                f"medians: {_median(hung):.0f} ms with, {_median(alone):.0f} ms without the hanging server",
            ),
        )
    ]


def _percentile_99(rounds: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(quantiles(latencies, n=100)[98] for latencies in rounds)


def _median(rounds: Sequence[Sequence[float]]) -> float:
    return median(median(latencies) for latencies in rounds)


def _latencies_with_hanging_server(environment: Environment, platform: Processes, healthy: Account) -> list[float]:
    with _customer(environment, "hang") as hanging:
        _create_due(hanging, BACKLOG)
        wakeup.wake(wakeup.NOTIFY)
        attempts = PostbackAttempt.objects.filter(postback__account=hanging)
        platform.wait_for("attempts to hang", lambda: attempts.count() >= IN_FLIGHT)
        latencies = _latencies(platform, healthy, environment.seconds)
        # No further attempts once the server is gone.
        Postback.objects.filter(account=hanging).update(status=Postback.Status.GIVEN_UP, due_at=None)
    return latencies


def _latencies(platform: Processes, account: Account, seconds: int) -> list[float]:
    """Create postbacks for some seconds, and return their latencies from due to delivered, in milliseconds."""
    keys = []
    begin = time.monotonic()
    for number in range(PER_SECOND * seconds):
        time.sleep(max(0.0, begin + number / PER_SECOND - time.monotonic()))
        keys += _create_due(account, 1)
        wakeup.wake(wakeup.NOTIFY)
    delivered = Postback.objects.filter(pk__in=keys, status=Postback.Status.DELIVERED)
    platform.wait_for("postbacks to be delivered", lambda: delivered.count() == len(keys))
    times = delivered.values_list("created_at", "ended_at")
    return [(ended - created).total_seconds() * 1000 for created, ended in times if ended]


def _create_due(account: Account, count: int) -> list[int]:
    """Create postbacks that are due now, and return their keys."""
    now = timezone.now()
    due = Postback.objects.bulk_create(
        Postback(account=account, code="N101", fields={"code": "N101"}, due_at=now, created_at=now)
        for _ in range(count)
    )
    return [postback.pk for postback in due]


@contextmanager
def _customer(environment: Environment, behaviour: str) -> Iterator[Account]:
    """Create a customer with its own server for postbacks, which has this behaviour of the simulator."""
    port = free_port()
    with _processes(environment) as processes:
        processes.start(behaviour, "simulator", "--port", str(port), "--report-url", f"http://{HOST}:9")
        processes.wait_for("a customer server", lambda: is_responding(port, "/log"))
        url = f"http://{HOST}:{port}/postbacks/{behaviour}"
        yield Account.objects.create(name=f"{behaviour} {port}", postback_url=url)


def _processes(environment: Environment) -> Processes:
    variables = child_environment(DATABASE_URL=environment.database_url, **LOOPBACK_ALLOWED)
    return Processes(settings.BASE_DIR, variables, environment.folder)
