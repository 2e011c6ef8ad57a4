"""Simulated mobile network (a carrier's MMSC and its handsets) and customer server, for the demo and for tests.

The MM7 implementation (3GPP TS 23.140) is independent: it shares no code with the platform.
"""
