"""Benchmarks of the platform (`manage.py bench`), each with a baseline measured in the same run.

A benchmark is a function that takes an Environment and returns Figures; benchmarks.py lists them.
"""


class BenchError(Exception):
    """A figure cannot be measured, or would be meaningless; the message gives the reason."""
