"""Command `manage.py chaos`: sends thousands of messages during faults, and checks that none is lost."""

import time
from argparse import ArgumentTypeError
from collections.abc import Sequence
from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from simulator.chaos import checks, evidence, plan, report, send_requests
from simulator.chaos.customers import Customers, SendResult, count_results
from simulator.chaos.drain import drain, drain_timeout
from simulator.chaos.environment import (
    PLATFORM_PROCESSES,
    REPORT_GRACE,
    Environment,
    running_environment,
)
from simulator.chaos.faults import inject_faults
from simulator.chaos.sample_data import CUSTOMERS
from simulator.demo.environment import url
from simulator.demo.processes import DemoError

# Messages with an expiry expire after the faults, so that the faults can affect them.
EXPIRY = timedelta(seconds=60)


class Command(BaseCommand):
    help = (
        "Send messages while processes, servers and the MMSC fail at times derived from the seed, on separate servers; "
        "check that no message is lost or sent twice, and print the figures. Exits with status 1 if a rule is broken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=positive, default=1, help="determines messages and faults")
        parser.add_argument("--messages", type=positive, default=5000)

    def handle(self, *args: Any, seed: int, messages: int, **options: Any) -> None:
        self._begin = time.monotonic()
        self.stdout.write(f"chaos --seed {seed} --messages {messages}")
        requests = send_requests.generate(seed, messages, len(CUSTOMERS))
        planned = plan.plan_faults(seed, send_requests.duration(messages))
        try:
            with running_environment({request.number for request in requests if request.handset_known}) as environment:
                run = self._run(environment, seed, requests, planned)
                report.print_report(run, Console())
                self._log(f"saved to {report.save(run, environment.folder, timezone.now())}")
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted", returncode=130) from None
        if run.breaches or run.drained is None:
            raise CommandError(f"seed {seed}: {len(run.breaches)} breaches; drained: {run.drained is not None}")

    def _run(
        self,
        environment: Environment,
        seed: int,
        requests: Sequence[send_requests.SendRequest],
        planned: Sequence[plan.Fault],
    ) -> report.Run:
        seconds = send_requests.duration(len(requests))
        expiry = timezone.now() + timedelta(seconds=seconds) + EXPIRY
        customers = Customers(environment.web_port, url(environment.simulator_port), environment.customers, expiry)
        self._begin = time.monotonic()
        sending = customers.send(requests, self._begin)
        inject_faults(
            environment, planned, self._begin, lambda fault: self._log(f"{fault.kind}, {fault.seconds:.0f} s")
        )
        self._wait(environment, sending, customers.results)
        load_seconds = time.monotonic() - self._begin
        self._log("end of the faults")
        limit = drain_timeout(len(requests))
        drained = drain(environment, expiry + REPORT_GRACE, limit, self._log)
        if drained is None:
            self._log(f"the backlog did not drain within {limit:.0f} s")
        for name in PLATFORM_PROCESSES:  # the evidence must not change while it is collected
            environment.processes.kill(name)
        found = evidence.collect(len(requests), customers.results, environment.log)
        return report.Run(seed, len(requests), load_seconds, planned, drained, found, checks.find_breaches(found))

    def _wait(self, environment: Environment, sending: "Future[None]", results: Sequence[SendResult]) -> None:
        """Wait until all requests are sent. Raises any exception of the customers' thread."""
        while not sending.done():
            environment.processes.check_alive()
            wait([sending], timeout=5)
            self._log(", ".join(f"{count} {name}" for name, count in count_results(results).items()))
        sending.result()

    def _log(self, text: str) -> None:
        self.stdout.write(f"{time.monotonic() - self._begin:6.1f} s  {text}")
        self.stdout.flush()


def positive(text: str) -> int:
    """Return the option's value as a positive integer."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a positive integer")
    return int(text)
