"""Content adaptation: from a message's content and the limits that it meets to what fits."""
