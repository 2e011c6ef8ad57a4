"""`manage.py servers`: the embedded PostgreSQL and Redis-protocol server of this checkout."""

import os
import shlex
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import embedded


class Command(BaseCommand):
    help = "Start or stop the embedded PostgreSQL and Redis-protocol server, for demo and development."
    # The servers must start even if the code fails its checks.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare one subcommand per action."""
        actions = parser.add_subparsers(dest="action", required=True, metavar="action")
        actions.add_parser("start", help="start both, or leave them running")
        actions.add_parser("stop", help="stop both and keep their data")
        actions.add_parser("status", help="show whether they run; the exit status is 1 if not")
        actions.add_parser("env", help="print their addresses as shell exports")
        actions.add_parser("destroy", help="stop both and delete their data")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        """Run the action."""
        self.folder = embedded.servers_folder(settings.BASE_DIR)
        try:
            getattr(self, action)()
        except embedded.ServersError as error:
            raise CommandError(str(error)) from error

    def start(self) -> None:
        """Start both servers unless the environment points to others."""
        if os.environ["DATABASE_URL"] != embedded.variables(self.folder)["DATABASE_URL"]:
            self.stdout.write("DATABASE_URL and REDIS_URL point to other servers: nothing to start")
            return
        self._show(embedded.start(self.folder))

    def stop(self) -> None:
        """Stop both servers."""
        embedded.stop(self.folder)
        self.stdout.write("stopped")

    def status(self) -> None:
        """Show the running servers. Raises CommandError if they do not run."""
        servers = embedded.running(self.folder)
        if servers is None:
            raise CommandError("stopped")
        self._show(servers)

    def env(self) -> None:
        """Print the addresses as shell exports."""
        for name, value in embedded.variables(self.folder).items():
            self.stdout.write(f"export {name}={shlex.quote(value)}")

    def destroy(self) -> None:
        """Stop both servers and delete their data."""
        embedded.destroy(self.folder)
        self.stdout.write("stopped and deleted")

    def _show(self, servers: embedded.Servers) -> None:
        self.stdout.write(f"PostgreSQL (process {servers.postgres_pid}): {servers.database_url}")
        self.stdout.write(f"Redis protocol (process {servers.valkey_pid}): {servers.redis_url}")
