"""The Celery application. Its tasks are in the apps' tasks.py; its settings are Django's, with the prefix CELERY_."""

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("mms")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["billing", "mms"])


@setup_logging.connect
def _leave_it(**_: Any) -> None:
    """The logs are set up with the settings; as long as somebody listens here, Celery sets up none of its own."""
