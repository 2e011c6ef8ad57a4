"""loginUser: lets a client check its key."""

from billing.models import Account
from mms.api.answers import Fields, success
from mms.api.nodes import Node


def login_user(_: Node, account: Account) -> Fields:
    """Answers that the key is good: whoever comes here has been authenticated."""
    return success(status_details=f"Logged in as {account.name}")
