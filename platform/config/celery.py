"""The Celery application. Its tasks are in the apps' tasks.py; its settings are Django's, with the prefix CELERY_."""

import os
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class Reusing(Task):  # type: ignore[type-arg]  # generic for the type checker alone
    """A task that goes on with the connection of the one before, as requests do, unless it no longer works.

    Celery itself would close the pool of connections before and after each task; CELERY_DB_REUSE_MAX keeps it from
    that.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        close_old_connections()
        return super().__call__(*args, **options)


app = Celery("mms", task_cls=Reusing)
app.set_default()  # for threads, too: the wake-up of a web process sends tasks from them
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["billing", "mms"])


@setup_logging.connect
def _leave_it(**_: Any) -> None:
    """The logs are set up with the settings; as long as somebody listens here, Celery sets up none of its own."""
