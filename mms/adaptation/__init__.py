"""Content adaptation: fit a message's content into the limits of its handset and carrier."""
