"""Rate limits of an account, counted across all processes in the Redis-protocol server.

Availability takes precedence over counting: a server that loses its data forgets the last second or interval, and
while it is unreachable, every call is allowed.
"""

import time
from dataclasses import dataclass, field
from typing import Final

import redis
import structlog
from redis.commands.core import Script

from billing.models import Account
from mms.api.errors import Refusal
from mms.runtime import wakeup

log = structlog.get_logger()

# One round trip per call, and one clock for all processes. The interval is a key that expires with it. For the
# throughput, a list holds the times (microseconds) of the latest allowed calls, up to the number allowed per second: if
# the oldest is younger than a second, the limit is reached. The limit therefore holds for any period of one second.
# Both limits are checked before anything is written, so that refused calls are not counted.
COUNT: Final = """
local interval, throughput = tonumber(ARGV[1]), tonumber(ARGV[2])
if interval > 0 and redis.call('EXISTS', KEYS[1]) == 1 then
    return 'E106'
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
if throughput > 0 then
    local first = redis.call('LINDEX', KEYS[2], throughput - 1)
    if first and now - first < 1000000 then
        return 'E113'
    end
end
if interval > 0 then
    redis.call('SET', KEYS[1], 1, 'PX', interval)
end
if throughput > 0 then
    redis.call('LPUSH', KEYS[2], string.format('%.0f', now))
    redis.call('LTRIM', KEYS[2], 0, throughput - 1)
    redis.call('PEXPIRE', KEYS[2], 1000)
end
return ''
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an account for an action: milliseconds between calls, and calls per second; 0 means no limit."""

    account: int
    action: str
    interval: int
    throughput: int


def limits_of(account: Account, action: str) -> Limits:
    """Return the limits of the account for the action."""
    return Limits(account.pk, action, account.minimum_interval, account.calls_per_second(action) or 0)


@dataclass
class RateLimiter:
    """The connection to the counters; it is not used for a while after the server was unreachable."""

    server: redis.Redis = field(default_factory=wakeup.connection)
    unreachable_until: float = 0.0

    def __post_init__(self) -> None:
        self.script: Script = self.server.register_script(COUNT)

    def count(self, limits: Limits) -> str:
        """Count a call; return the code of the limit that it exceeds, E106 or E113, else ""."""
        if not (limits.interval or limits.throughput) or time.monotonic() < self.unreachable_until:
            return ""
        # The braces place all keys of an account on one node of a cluster.
        keys = [f"rate-limit:{{{limits.account}}}:interval", f"rate-limit:{{{limits.account}}}:{limits.action}"]
        try:
            return bytes(self.script(keys, [limits.interval, limits.throughput])).decode()
        except wakeup.BROKER_ERRORS as problem:
            self.unreachable_until = time.monotonic() + wakeup.PAUSE
            log.warning("rate limits are not enforced", account=limits.account, problem=str(problem))
            return ""


_limiter = RateLimiter()


def check(limits: Limits) -> None:
    """Count a call. Raises Refusal with E106 or E113 if it exceeds a limit."""
    code = _limiter.count(limits)
    if code == "E106":
        raise Refusal(code, f"Requests must be at least {limits.interval} ms apart; wait, then retry")
    if code == "E113":
        raise Refusal(code, f"The rate limit of this action is {limits.throughput} per second; wait, then retry")
