"""Load on a door of the platform, from a process of its own, and what became of it."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from simulator.bench import BenchError
from simulator.bench.generator import GRACE
from simulator.bench.stage import child_environment


@dataclass(frozen=True, slots=True)
class Load:
    """What the load generator saw; processor_seconds are its own, start included. Latencies in milliseconds."""

    seconds: float
    processor_seconds: float
    latencies: tuple[float, ...]
    answers: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds

    def percentile(self, percent: int) -> float:
        """The latency in milliseconds that this share of the answers did not pass; percent from 1 to 99."""
        return quantiles(self.latencies, n=100)[percent - 1]


def drive(url: str, bodies: Sequence[str], connections: int, seconds: int) -> Load:
    """Posts the bodies in turns for so long. Raises BenchError if an answer is not HTTP 200 or none comes."""
    return _posted(url, bodies, connections, seconds)


def send(url: str, bodies: Sequence[str], connections: int, seconds: int = 300) -> Load:
    """Posts each of the bodies once. Raises BenchError as drive() does, or if they take longer than so many seconds."""
    load = _posted(url, bodies, connections, seconds, "--once")
    if len(load.answers) < len(bodies):
        raise BenchError(f"only {len(load.answers)} of {len(bodies)} requests were answered in {seconds} seconds")
    return load


def drive_until_broken(url: str, bodies: Sequence[str], connections: int, seconds: int) -> Load:
    """Posts the bodies in turns until each connection has broken, or for so long: what was answered until then."""
    return _posted(url, bodies, connections, seconds, "--until-broken")


def _posted(url: str, bodies: Sequence[str], connections: int, seconds: int, *options: str) -> Load:
    command = [sys.executable, "-m", "simulator.bench.generator", url, str(connections), str(seconds), *options]
    try:
        done = subprocess.run(
            command,
            env=child_environment(),
            input=json.dumps(bodies),
            capture_output=True,
            text=True,
            timeout=seconds + 2 * GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"the load generator did not end after {seconds} seconds") from None
    if done.returncode:
        raise BenchError(done.stderr.strip()[-1000:])
    seen = json.loads(done.stdout)
    return Load(seen["seconds"], seen["processor_seconds"], tuple(seen["latencies"]), tuple(seen["answers"]))
