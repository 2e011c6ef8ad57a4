"""The Celery application. Its tasks are in each app's tasks.py, its settings in Django's with the prefix CELERY_."""

import os
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


class ConnectionReusingTask(Task):  # type: ignore[type-arg]  # generic only in the stubs
    """A task that reuses the database connection of the previous task, as requests do, unless it is broken.

    Without CELERY_DB_REUSE_MAX, Celery would close the connection pool before and after each task.
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        close_old_connections()
        return super().__call__(*args, **options)


app = Celery("mms", task_cls=ConnectionReusingTask)
app.set_default()  # for all threads: those of a web process send wake-ups
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["billing", "mms"])


@setup_logging.connect
def _keep_django_logging(**_: Any) -> None:
    """Keep the logging of the settings: while this signal has a receiver, Celery configures no logging."""
