"""Command `manage.py demo`: the complete platform with a simulated network, from saveMMS to the last postback."""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from simulator.demo import checks, display
from simulator.demo.environment import Environment, running_environment, url
from simulator.demo.processes import DemoError
from simulator.demo.runner import run_scenarios
from simulator.demo.tracker import TrackedMessage

USER = "demo"
POLL_INTERVAL = 0.5  # seconds between two checks of the processes


class Command(BaseCommand):
    help = "Send messages to simulated handsets and show every step. Requires `manage.py servers start`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="check the scenarios and exit, with status 1 if a check failed"
        )

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        try:
            with running_environment() as environment:
                messages = run_scenarios(environment, Console())
                failed = self._check(messages)
                if not once:
                    self._keep_running(environment)
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted", returncode=130) from None
        if failed:
            raise CommandError(f"failed checks: {failed}")

    def _check(self, messages: Sequence[TrackedMessage]) -> int:
        """Print the results, one line per check, and return the number of failed checks."""
        self.stdout.write("")
        for line in (*display.photograph_summary(messages), *display.cost_summary(messages)):
            self.stdout.write(line)
        sections = {"Run": checks.check_run(messages), "Ledger": checks.check_ledger(messages)} | {
            f"{tracked.scenario.title}, {tracked.scenario.number}, {tracked.message.tracking_id}": checks.check_message(
                tracked
            )
            for tracked in messages
        }
        results: list[checks.Check] = []
        for heading, section in sections.items():
            self.stdout.write(f"\n{heading}")
            for check in section:
                self.stdout.write(f"  {check}")
                results.append(check)
        failed = sum(not check.has_passed for check in results)
        self.stdout.write(f"\n{len(results)} checks, {failed} failed")
        return failed

    def _keep_running(self, environment: Environment) -> None:
        """Print the URLs and wait for Ctrl-C. Raises DemoError if a process exits."""
        password = secrets.token_urlsafe(9)
        _create_admin_user(password)
        self.stdout.write(f"\nAdmin         {url(environment.web_port, '/admin/')}   user {USER}, password {password}")
        self.stdout.write(f"Handset wall  {url(environment.simulator_port, '/')}")
        self.stdout.write(f"Postback log  {url(environment.simulator_port, '/postbacks')}")
        self.stdout.write("Press Ctrl-C to stop the demo.")
        with suppress(KeyboardInterrupt):
            while True:
                environment.processes.check_alive()
                time.sleep(POLL_INTERVAL)


def _create_admin_user(password: str) -> None:
    user, _ = get_user_model().objects.update_or_create(
        username=USER, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save()
