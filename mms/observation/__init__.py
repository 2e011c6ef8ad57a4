"""Observation of the platform by operators and their tools: readiness, metrics, and the size of the backlog."""
