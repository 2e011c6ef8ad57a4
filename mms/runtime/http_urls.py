"""Addresses of outbound requests: sent as they are written, since another spelling breaks the signature of some."""

import re
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

from yarl import URL

SCHEMES: Final = frozenset({"http", "https"})
# What a path and a query may contain (RFC 3986, 3.3 and 3.4), and the escapes.
ALLOWED: Final = "%/:?@!$&'()*+,;=~-._[]"
_BARE_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")


def as_written(url: str) -> URL:
    """Return the URL with path and query as written; what a request line cannot carry is percent-encoded.

    Raises ValueError if it is not a URL.
    """
    parsed, parts = URL(url), urlsplit(url)
    if not parsed.raw_host:
        raise ValueError("the URL has no host")
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    escaped = quote(_BARE_PERCENT.sub("%25", target), safe=ALLOWED, errors="surrogateescape")
    return URL(f"{parsed.scheme}://{parsed.raw_authority}{escaped}", encoded=True)


def redirected(url: str, location: str) -> str:
    """Return the address that a Location, absolute or relative, names after `url`. Raises ValueError.

    Credentials in `url` stay those of its server.
    """
    target = urljoin(url, location.strip().replace("\\", "/"))
    before, after = urlsplit(url), urlsplit(target)
    if after.scheme not in SCHEMES:
        raise ValueError("the redirect leads to another scheme")
    credentials, at, host = before.netloc.rpartition("@")
    if (before.scheme, host.lower()) == (after.scheme, after.netloc.lower()):
        return after._replace(netloc=f"{credentials}{at}{after.netloc}").geturl()
    return target
