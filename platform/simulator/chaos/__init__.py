"""Chaos test: thousands of messages while processes, servers and the MMSC fail, followed by checks of the outcome.

A run is planned from a seed (plan, send_requests) and executed (environment, faults, customers). The results of the
customers, the simulator's log and the database are then collected (evidence) and checked against rules (checks).
"""

from simulator.demo.processes import DemoError


class ChaosError(DemoError):
    """The run cannot continue; the message gives the reason."""
