"""Tracking ids: what customers call their messages by. To them they are opaque."""

import base64
import binascii
import re

TRACKING_ID = re.compile(rb"MMS_([0-9]{1,18})")


def name_of(key: int) -> str:
    """The tracking id of the message with this primary key."""
    return base64.b64encode(f"MMS_{key}".encode()).decode()


def key_of(tracking_id: str) -> int | None:
    """The primary key of the message that this tracking id names, or None where it is no tracking id."""
    try:
        match = TRACKING_ID.fullmatch(base64.b64decode(tracking_id, validate=True))
    except (binascii.Error, ValueError):
        return None
    return int(match[1]) if match else None
