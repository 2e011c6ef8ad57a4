"""The other side: an operator's MMSC with its handsets, and a customer's server, for the demo and for tests.

It speaks MM7 (3GPP TS 23.140) over HTTP by its own reading of it and shares no code with the platform.
"""
