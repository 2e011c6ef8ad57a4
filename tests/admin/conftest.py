"""A world with a row of every kind, brought about by the flow, and an operator who looks at it."""

from types import SimpleNamespace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.admin import story


@pytest.fixture
def world(db: None) -> SimpleNamespace:
    return story.world()


@pytest.fixture
def console(db: None) -> Client:
    """The console as a superuser sees it."""
    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    return client
