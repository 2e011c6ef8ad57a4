"""Settings, URLs and process entry points. Importing it makes the Celery application the default one."""

from config.celery import app

__all__ = ["app"]
