"""Every measure of the bench, by its name. A further one is a function from a Stage to its Figures, named here."""

from collections.abc import Callable, Mapping, Sequence

from simulator.bench import crash, handsets, memory, picture, postbacks, sweep
from simulator.bench.accept import accept_rate, one_account
from simulator.bench.figures import Figure
from simulator.bench.stage import Stage
from simulator.bench.whole_way import whole_way

Measure = Callable[[Stage], Sequence[Figure]]

MEASURES: Mapping[str, Measure] = {
    "accept": accept_rate,
    "account": one_account,
    "way": whole_way,
    "crash": crash.crashes,
    "picture": picture.adaptation,
    "handsets": handsets.cold_renditions,
    "sweep": sweep.sweep,
    "postbacks": postbacks.isolation,
    "memory": memory.growth,
}
