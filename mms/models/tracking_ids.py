"""Tracking IDs: the opaque names of messages in the API."""

import base64
import binascii
import re

TRACKING_ID = re.compile(rb"MMS_([0-9]{1,18})")


def format_tracking_id(key: int) -> str:
    """Return the tracking ID of the message with this primary key."""
    return base64.b64encode(f"MMS_{key}".encode()).decode()


def parse_tracking_id(tracking_id: str) -> int | None:
    """Return the primary key of the message with this tracking ID, or None if it is not a tracking ID."""
    try:
        match = TRACKING_ID.fullmatch(base64.b64decode(tracking_id, validate=True))
    except (binascii.Error, ValueError):
        return None
    return int(match[1]) if match else None
