"""The console's login: whoever guesses passwords is made to wait.

Attempts are counted in the Redis-protocol server, for all web processes together. While it is out of reach nobody is
locked out: the log says so.
"""

from typing import Any, Final

import structlog
from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from mms.runtime import client_address, wakeup

log = structlog.get_logger()

WINDOW: Final = 15 * 60  # seconds, counted from the first attempt
# Attempts in that time: of one address as one user, of one address, as one user from anywhere.
LIMITS: Final = (5, 30, 100)
WAIT: Final = "Too many attempts to log in. Wait 15 minutes."


class LoginForm(AuthenticationForm):
    """Looks at no password once there were too many attempts. A login that succeeds forgets those before it."""

    def clean(self) -> Any:
        keys = self._keys()
        if _too_many(keys):
            raise ValidationError(WAIT, code="too_many_attempts")
        cleaned = super().clean()
        _forget(keys)
        return cleaned

    def _keys(self) -> tuple[str, ...]:
        user, address = str(self.cleaned_data.get("username", "")).casefold(), client_address.address(self.request)
        return f"login:{address}:{user}", f"login:{address}", f"login:*:{user}"


def _too_many(keys: tuple[str, ...]) -> bool:
    """Counts an attempt, before anything is known of its password: those that come at once are counted, too."""
    try:
        with wakeup.connection() as server, server.pipeline() as all_of_them:
            for key in keys:
                all_of_them.set(key, 0, ex=WINDOW, nx=True)
                all_of_them.incr(key)
            counted = all_of_them.execute()[1::2]
    except wakeup.OUT_OF_REACH as problem:
        log.warning("logins are let through uncounted", problem=str(problem))
        return False
    return any(count > limit for count, limit in zip(counted, LIMITS, strict=True))


def _forget(keys: tuple[str, ...]) -> None:
    """The attempts as the one who has logged in; those of the address stay counted."""
    try:
        with wakeup.connection() as server:
            server.delete(keys[0], keys[2])
    except wakeup.OUT_OF_REACH as problem:
        log.warning("attempts to log in stay counted", problem=str(problem))
