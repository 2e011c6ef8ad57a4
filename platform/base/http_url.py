"""A field for the HTTP address of a peer: that of a host in the same network, too, which Django's URLField refuses."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import models

LENGTH_MAX: Final = 2000  # characters
_HOST: Final = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]+")


def validate_http_url(url: str) -> None:
    """Check that it is an http or https URL with a host, of any number of labels and with underscores if need be."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in {"http", "https"} and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        valid = False
    if not valid or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise ValidationError("Enter a valid URL, such as https://host.example.com/path.", code="invalid")


class HttpURLField(models.CharField):  # type: ignore[type-arg]  # generic for the type checker alone
    """An http or https URL of at most 2,000 characters."""

    default_validators = [validate_http_url]

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("max_length", LENGTH_MAX)
        super().__init__(*args, **options)
