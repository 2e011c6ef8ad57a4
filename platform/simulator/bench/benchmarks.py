"""All benchmarks by name. To add one, register a function that takes an Environment and returns Figures."""

from collections.abc import Callable, Mapping, Sequence

from simulator.bench import accept, cold_renditions, crash, end_to_end, memory, picture, postbacks, sweep
from simulator.bench.environment import Environment
from simulator.bench.figures import Figure

Benchmark = Callable[[Environment], Sequence[Figure]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "accept": accept.measure_accept_rate,
    "account": accept.measure_one_account,
    "throughput": end_to_end.measure_throughput,
    "crash": crash.measure_losses,
    "picture": picture.measure_adaptation,
    "renditions": cold_renditions.measure_cold_renditions,
    "sweep": sweep.measure_sweep,
    "postbacks": postbacks.measure_isolation,
    "memory": memory.measure_growth,
}
