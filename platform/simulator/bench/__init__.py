"""`manage.py bench`: what the platform reaches, each figure beside the machine's own limit in the same run.

A measure is one function from a Stage to its Figures; measures.py lists them.
"""


class BenchError(Exception):
    """A figure cannot be taken, or would not mean what it says; the message tells why."""
