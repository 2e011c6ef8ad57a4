"""`manage.py apidoc`: update the tables of parameter names and error codes in docs/api.md."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from mms.api.dialects import PARAMETERS, SINCH, SINCH_JSON, SKYCORE, SKYCORE_GET
from mms.api.errors import CATALOGUE

ERRORS = re.compile(r"(<!-- error table.*? -->\n).*?(<!-- end of error table -->)", re.DOTALL)
NAMES = re.compile(r"(<!-- table of names.*? -->\n).*?(<!-- end of table of names -->)", re.DOTALL)
DIALECTS = {"Sinch XML": SINCH, "JSON": SINCH_JSON, "Skycore XML": SKYCORE, "GET": SKYCORE_GET}


def with_tables(text: str) -> str:
    """Return the document with its tables generated from the code."""
    errors = list(CATALOGUE.items())
    names = [tuple(dialect.parameters[name] for dialect in DIALECTS.values()) for name in PARAMETERS]
    return _replace(NAMES, tuple(DIALECTS), names, _replace(ERRORS, ("code", "when"), errors, text))


def _replace(place: re.Pattern[str], head: Sequence[str], rows: Iterable[Sequence[str]], text: str) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    table = "".join(f"{line}\n" for line in lines)
    return place.sub(lambda found: f"{found[1]}\n{table}\n{found[2]}", text)


class Command(BaseCommand):
    help = "Update the tables of parameter names and error codes in docs/api.md."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rewrite docs/api.md."""
        document = Path(settings.BASE_DIR) / "docs" / "api.md"
        document.write_text(with_tables(document.read_text()))
