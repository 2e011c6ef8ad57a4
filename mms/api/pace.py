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
from mms import doorbell
from mms.api.errors import Refusal

log = structlog.get_logger()

# One round trip a call, and one clock for all processes. The interval is a key that lives as long as it lasts. For the
# throughput, the moments (microseconds) of the last calls let through are kept, as many as a second may have: if the
# first of them is younger than a second, the second is full. So no second ever has more, wherever it begins.
COUNT: Final = """
local interval, throughput = tonumber(ARGV[1]), tonumber(ARGV[2])
if interval > 0 and not redis.call('SET', KEYS[1], 1, 'NX', 'PX', interval) then
    return 'E106'
end
if throughput > 0 then
    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]
    local first = redis.call('LINDEX', KEYS[2], throughput - 1)
    if first and now - first < 1000000 then
        return 'E113'
    end
    redis.call('LPUSH', KEYS[2], string.format('%.0f', now))
    redis.call('LTRIM', KEYS[2], 0, throughput - 1)
    redis.call('PEXPIRE', KEYS[2], 1000)
end
return ''
"""


@dataclass
class Pace:
    """The counts, and until when a server that is out of reach is left alone."""

    server: redis.Redis = field(default_factory=doorbell.connection)
    silent_until: float = 0.0

    def __post_init__(self) -> None:
        self.count: Script = self.server.register_script(COUNT)

    def verdict(self, account: Account, action: str) -> str:
        """Counts a call of the action: E106 or E113 where it comes too soon, else ""."""
        interval, throughput = account.minimum_interval, account.calls_per_second(action) or 0
        if not (interval or throughput) or time.monotonic() < self.silent_until:
            return ""
        # The braces keep the keys of an account together in a cluster.
        keys = [f"pace:{{{account.pk}}}:interval", f"pace:{{{account.pk}}}:{action}"]
        try:
            return bytes(self.count(keys, [interval, throughput])).decode()
        except doorbell.OUT_OF_REACH as problem:
            self.silent_until = time.monotonic() + doorbell.PAUSE
            log.warning("calls are let through uncounted", account=account.pk, problem=str(problem))
            return ""


_pace = Pace()


def check(account: Account, action: str) -> None:
    """Counts a call of the action. Raises Refusal: E106 or E113 where it comes too soon."""
    code = _pace.verdict(account, action)
    if code == "E106":
        raise Refusal(code, f"Calls must be {account.minimum_interval} ms apart; wait and send it again")
    if code == "E113":
        limit = account.calls_per_second(action)
        raise Refusal(code, f"More than {limit} calls of this action in a second; wait and send it again")
