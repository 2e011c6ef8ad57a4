"""Settings, URLs and process entry points. Importing this package makes its Celery application the default."""

from config.celery import app

__all__ = ["app"]
