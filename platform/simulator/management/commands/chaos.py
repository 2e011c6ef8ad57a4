"""`manage.py chaos`: thousands of messages while everything fails that can, and the proof that none was lost."""

import time
from argparse import ArgumentTypeError
from collections.abc import Sequence
from concurrent.futures import Future, wait
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from rich.console import Console

from simulator.chaos import checks, evidence, orders, plan, report
from simulator.chaos.customers import Asked, Customers, progress
from simulator.chaos.drain import drain, patience
from simulator.chaos.faults import befall
from simulator.chaos.stage import PLATFORM, Stage, running
from simulator.chaos.world import CUSTOMERS
from simulator.demo.environment import url
from simulator.demo.processes import DemoError

# What expires does so after the faults, so that it does not end before they had their chance.
EXPIRY = timedelta(seconds=60)


class Command(BaseCommand):
    help = (
        "Sends messages while processes, servers and the MMSC fail at moments that the seed chooses, on servers of "
        "its own; checks that none is lost, none sent twice, and prints the figures. Status 1 if a rule is broken."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=number, default=1, help="chooses messages and faults")
        parser.add_argument("--messages", type=number, default=5000)

    def handle(self, *args: Any, seed: int, messages: int, **options: Any) -> None:
        self._begin = time.monotonic()
        self.stdout.write(f"chaos --seed {seed} --messages {messages}")
        ordered = orders.orders(seed, messages, len(CUSTOMERS))
        planned = plan.faults(seed, orders.seconds(messages))
        try:
            with running({order.number for order in ordered if order.known}) as stage:
                run = self._run(stage, seed, ordered, planned)
                report.show(run, Console())
                self._say(f"kept in {report.keep(run, stage.folder, timezone.now())}")
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted", returncode=130) from None
        if run.breaches or run.drained is None:
            raise CommandError(f"seed {seed}: {len(run.breaches)} breaches; drained: {run.drained is not None}")

    def _run(
        self, stage: Stage, seed: int, ordered: Sequence[orders.Order], planned: Sequence[plan.Fault]
    ) -> report.Run:
        seconds = orders.seconds(len(ordered))
        expiry = timezone.now() + timedelta(seconds=seconds) + EXPIRY
        customers = Customers(stage.web, url(stage.simulator), stage.customers, expiry)
        self._begin = time.monotonic()
        sending = customers.send(ordered, self._begin)
        befall(stage, planned, self._begin, lambda fault: self._say(f"{fault.kind}, {fault.seconds:.0f} s"))
        self._wait(stage, sending, customers.asked)
        took = time.monotonic() - self._begin
        self._say("the faults are over")
        limit = patience(len(ordered))
        drained = drain(stage, expiry, limit, self._say)
        if drained is None:
            self._say(f"the backlog did not drain in {limit:.0f} s")
        for name in PLATFORM:  # nothing moves while the evidence is gathered
            stage.processes.kill(name)
        found = evidence.gathered(ordered, customers.asked, stage.log)
        return report.Run(seed, len(ordered), took, planned, drained, found, checks.breaches(found))

    def _wait(self, stage: Stage, sending: "Future[None]", asked: Sequence[Asked]) -> None:
        """Raises what broke the customers: what they sent until then proves nothing."""
        while not sending.done():
            stage.processes.check_alive()
            wait([sending], timeout=5)
            self._say(", ".join(f"{count} {what}" for what, count in progress(asked).items()))
        sending.result()

    def _say(self, words: str) -> None:
        self.stdout.write(f"{time.monotonic() - self._begin:6.1f} s  {words}")
        self.stdout.flush()


def number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return int(text)
