"""What the processes of a test have imported when they are forked."""

import sys

import aiohttp
import av
import celery.apps.beat
import celery.apps.worker
import celery.bin.celery
import django
import granian.cli

from simulator import app

django.setup()

# It has memory that a worker shares with its children: here it would be shared by all workers of the tests.
assert "base.shutdown" not in sys.modules

__all__ = ["aiohttp", "app", "av", "celery", "granian"]
