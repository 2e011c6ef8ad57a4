"""Every measure of the bench. A further one is a function from a Stage to a Figure, named here."""

from collections.abc import Callable

from simulator.bench.accept import accept_rate, one_account
from simulator.bench.figures import Figure
from simulator.bench.stage import Stage

MEASURES: tuple[Callable[[Stage], Figure], ...] = (accept_rate, one_account)
