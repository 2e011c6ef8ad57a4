"""The platform under faults: thousands of messages while its processes, its servers and its MMSC fail; then the proof.

What befalls it is planned from a seed (plan, orders), carried out (stage, faults, customers), gathered (evidence) from
the simulator's log, the customers' memory and the database, and held against what must be true (checks).
"""

from simulator.demo.processes import DemoError


class ChaosError(DemoError):
    """The run cannot go on; the message says why."""
