"""How often an account may call: counted in the Redis-protocol server, for all processes together.

The counts are worth less than the calls. A server that lost them has forgotten the last second, or the last interval;
while it is out of reach, every call is let through.
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

# One round trip a call, and one clock for all processes. The interval is a key that lives as long as it lasts. For the
# throughput, the moments (microseconds) of the last calls let through are kept, as many as a second may have: if the
# first of them is younger than a second, the second is full. So no second ever has more, wherever it begins. Nothing
# is written before both have been looked at: a refused call leaves no trace.
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
    """How often an account may call for an action: milliseconds between calls, calls a second; 0: any."""

    account: int
    action: str
    interval: int
    throughput: int


def limits(account: Account, action: str) -> Limits:
    """What is set for calls of the account for the action."""
    return Limits(account.pk, action, account.minimum_interval, account.calls_per_second(action) or 0)


@dataclass
class Pace:
    """The counts, and until when a server that is out of reach is left alone."""

    server: redis.Redis = field(default_factory=wakeup.connection)
    silent_until: float = 0.0

    def __post_init__(self) -> None:
        self.count: Script = self.server.register_script(COUNT)

    def verdict(self, limits: Limits) -> str:
        """Counts a call: E106 or E113 where it comes too soon, else ""."""
        if not (limits.interval or limits.throughput) or time.monotonic() < self.silent_until:
            return ""
        # The braces keep the keys of an account together in a cluster.
        keys = [f"pace:{{{limits.account}}}:interval", f"pace:{{{limits.account}}}:{limits.action}"]
        try:
            return bytes(self.count(keys, [limits.interval, limits.throughput])).decode()
        except wakeup.OUT_OF_REACH as problem:
            self.silent_until = time.monotonic() + wakeup.PAUSE
            log.warning("calls are let through uncounted", account=limits.account, problem=str(problem))
            return ""


_pace = Pace()


def check(limits: Limits) -> None:
    """Counts a call. Raises Refusal: E106 or E113 where it comes too soon."""
    code = _pace.verdict(limits)
    if code == "E106":
        raise Refusal(code, f"Calls must be {limits.interval} ms apart; wait and send it again")
    if code == "E113":
        raise Refusal(code, f"More than {limits.throughput} calls of this action in a second; wait and send it again")
