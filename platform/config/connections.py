"""The connections to the servers: what DATABASE_URL and REDIS_URL say, for every client alike."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from base import time_limits


def database(url: str) -> dict[str, Any]:
    """Return Django's parameters of the database. libpq reads the URL, so each of its options is known and kept.

    Raises ImproperlyConfigured for a URL that libpq does not understand.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as problem:
        raise ImproperlyConfigured(f"DATABASE_URL: {_without_secrets(problem)}") from None
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    server = {setting: str(given.pop(name, "")) for setting, name in names.items()}
    # The server takes the last of two settings of the same name: those of the URL.
    settings = f"{time_limits.OPTIONS['options']} {given.pop('options', '')}".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        **server,
        "OPTIONS": {**time_limits.OPTIONS, **given, "options": settings},
    }


def _without_secrets(problem: Exception) -> str:
    """Return what libpq says of the URL without quoting any of it, except for the name of an option."""
    text = str(problem).strip()
    return text if text.startswith("invalid URI query parameter") else text.partition('"')[0].rstrip(" :")


def broker(url: str) -> str:
    """Return REDIS_URL with its demand on certificates spelled out: by default, Celery would verify none."""
    parts = urlsplit(url)
    if parts.scheme != "rediss" or "ssl_cert_reqs" in parse_qs(parts.query):
        return url
    return parts._replace(query="&".join(filter(None, [parts.query, "ssl_cert_reqs=required"]))).geturl()
