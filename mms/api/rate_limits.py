"""Rate limits: how often an account may call, counted in the Redis-protocol server for all processes together.

Serving calls matters more than counting them. A server that loses its data forgets the last second or interval; while
it is unreachable, every call is allowed.
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

# One round trip a call, and one clock for all processes. The interval is a key that expires with it. For the
# throughput, a list holds the times (microseconds) of the last allowed calls, as many as are allowed in a second: if
# the oldest is younger than a second, the limit is reached. So no second has more calls, wherever it begins. Both
# limits are checked before anything is written: a refused call leaves no trace.
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
    """The limits of an account for an action: milliseconds between calls, calls a second; 0 is no limit."""

    account: int
    action: str
    interval: int
    throughput: int


def limits_of(account: Account, action: str) -> Limits:
    """Return the limits of the account for the action."""
    return Limits(account.pk, action, account.minimum_interval, account.calls_per_second(action) or 0)


@dataclass
class RateLimiter:
    """The connection to the counts, and until when it is not used after the server was unreachable."""

    server: redis.Redis = field(default_factory=wakeup.connection)
    unreachable_until: float = 0.0

    def __post_init__(self) -> None:
        self.script: Script = self.server.register_script(COUNT)

    def count(self, limits: Limits) -> str:
        """Count a call; return the code of the limit that refuses it, E106 or E113, else ""."""
        if not (limits.interval or limits.throughput) or time.monotonic() < self.unreachable_until:
            return ""
        # The braces keep the keys of an account together in a cluster.
        keys = [f"pace:{{{limits.account}}}:interval", f"pace:{{{limits.account}}}:{limits.action}"]
        try:
            return bytes(self.script(keys, [limits.interval, limits.throughput])).decode()
        except wakeup.BROKER_ERRORS as problem:
            self.unreachable_until = time.monotonic() + wakeup.PAUSE
            log.warning("rate limits are not enforced", account=limits.account, problem=str(problem))
            return ""


_limiter = RateLimiter()


def check(limits: Limits) -> None:
    """Count a call. Raises Refusal: E106 or E113 where it exceeds a limit."""
    code = _limiter.count(limits)
    if code == "E106":
        raise Refusal(code, f"Calls must be {limits.interval} ms apart; wait and send it again")
    if code == "E113":
        raise Refusal(code, f"More than {limits.throughput} calls of this action in a second; wait and send it again")
