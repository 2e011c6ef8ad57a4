"""The loginUser action: checks whether an API key is valid."""

from billing.models import ApiKey
from mms.api.answers import Fields, success
from mms.api.request_tree import Node


def login_user(_: Node, key: ApiKey) -> Fields:
    """Answer Success: the key has been authenticated before any action is performed."""
    return success(status_details=f"Logged in as {key.account.name}")
