"""Load on an API endpoint: runs the load generator and returns its results."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles

from simulator.bench import BenchError
from simulator.bench.environment import child_environment
from simulator.bench.load_generator import GRACE_PERIOD


@dataclass(frozen=True, slots=True)
class Load:
    """Results of the load generator. `cpu_seconds` is its own CPU time, including its start; latencies in ms."""

    seconds: float
    cpu_seconds: float
    latencies: tuple[float, ...]
    answers: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.answers) / self.seconds

    def percentile(self, percent: int) -> float:
        """Return a percentile of the latencies, in milliseconds; percent from 1 to 99."""
        return quantiles(self.latencies, n=100)[percent - 1]


def post_repeatedly(url: str, bodies: Sequence[str], connections: int, seconds: int) -> Load:
    """Post the bodies repeatedly for some seconds. Raises BenchError unless every response is HTTP 200."""
    return _run_generator(url, bodies, connections, seconds)


def post_once(url: str, bodies: Sequence[str], connections: int, seconds: int = 300) -> Load:
    """Post each body once. Raises BenchError unless every response is HTTP 200 and arrives in time."""
    load = _run_generator(url, bodies, connections, seconds, "--once")
    if len(load.answers) < len(bodies):
        raise BenchError(f"only {len(load.answers)} of {len(bodies)} requests were answered in {seconds} seconds")
    return load


def post_until_disconnected(url: str, bodies: Sequence[str], connections: int, seconds: int) -> Load:
    """Post the bodies repeatedly until every connection is broken, or for some seconds at most."""
    return _run_generator(url, bodies, connections, seconds, "--until-disconnected")


def _run_generator(url: str, bodies: Sequence[str], connections: int, seconds: int, *options: str) -> Load:
    command = [sys.executable, "-m", "simulator.bench.load_generator", url, str(connections), str(seconds), *options]
    try:
        completed = subprocess.run(
            command,
            env=child_environment(),
            input=json.dumps(bodies),
            capture_output=True,
            text=True,
            timeout=seconds + 2 * GRACE_PERIOD,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"the load generator did not finish within {seconds} seconds") from None
    if completed.returncode:
        raise BenchError(completed.stderr.strip()[-1000:])
    results = json.loads(completed.stdout)
    return Load(results["seconds"], results["cpu_seconds"], tuple(results["latencies"]), tuple(results["answers"]))
