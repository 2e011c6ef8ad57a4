"""`manage.py migrate`: Django's command, without the time limits of the database, which a migration may exceed."""

from typing import Any

from django.core.management.commands import migrate

from base import time_limits


class Command(migrate.Command):
    @time_limits.without
    def handle(self, *args: Any, **options: Any) -> None:
        """Apply the migrations."""
        super().handle(*args, **options)
