"""The admin login, with a limit on attempts against password guessing.

Attempts are counted in the Redis-protocol server, across all web processes. While it is out of reach, logins are not
limited, and the log says so.
"""

from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from mms.runtime import client_address, wakeup

log = structlog.get_logger()

WINDOW: Final = 15 * 60  # seconds, counted from the first attempt
# Attempts within the window: from one address as one user, from one address, as one user from any address.
LIMITS: Final = (5, 30, 100)
WAIT: Final = "Too many attempts to log in. Wait 15 minutes."


class LoginForm(AuthenticationForm):
    """The login form. After too many attempts it checks no password; a successful login resets the count."""

    def clean(self) -> Any:
        """Count the attempt, check the password, and reset the counts on success."""
        keys = self._keys()
        if _too_many(keys):
            raise ValidationError(WAIT, code="too_many_attempts")
        cleaned = super().clean()
        _reset(keys)
        return cleaned

    def _keys(self) -> tuple[str, ...]:
        user, address = str(self.cleaned_data.get("username", "")).casefold(), client_address.of_request(self.request)
        return f"login:{address}:{user}", f"login:{address}", f"login:*:{user}"


def _too_many(keys: tuple[str, ...]) -> bool:
    """Count an attempt before its password is checked, so that concurrent attempts count as well."""
    try:
        with wakeup.connection() as server, server.pipeline() as commands:
            for key in keys:
                commands.set(key, 0, ex=WINDOW, nx=True)
                commands.incr(key)
            counted = commands.execute()[1::2]
    except wakeup.BROKER_ERRORS as problem:
        log.warning("login attempts are not limited", problem=str(problem))
        return False
    return any(count > limit for count, limit in zip(counted, LIMITS, strict=True))


def _reset(keys: tuple[str, ...]) -> None:
    """Reset the counts of the user who logged in; the count of the address stays."""
    try:
        with wakeup.connection() as server:
            server.delete(keys[0], keys[2])
    except wakeup.BROKER_ERRORS as problem:
        log.warning("login attempts were not reset", problem=str(problem))
