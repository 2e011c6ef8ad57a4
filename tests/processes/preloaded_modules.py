"""The modules that test processes have imported before they are forked."""

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

# Its shared memory must belong to one worker and its children, not to all workers of the tests.
assert "base.shutdown" not in sys.modules

__all__ = ["aiohttp", "app", "av", "celery", "granian"]
