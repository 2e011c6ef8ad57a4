"""loginUser: lets a client check its key."""

from billing.models import ApiKey
from mms.api.answers import Fields, success
from mms.api.request_tree import Node


def login_user(_: Node, key: ApiKey) -> Fields:
    """Answers that the key is good: whoever comes here has been authenticated."""
    return success(status_details=f"Logged in as {key.account.name}")
