"""`manage.py apidoc`: writes the table of error codes into docs/api.md from the catalogue."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from mms.api.errors import CATALOGUE

TABLE = re.compile(r"(<!-- error table.*? -->\n).*?(<!-- end of error table -->)", re.DOTALL)


def with_table(text: str) -> str:
    """The document with its error table as the catalogue has it."""
    rows = "".join(f"| {code} | {when} |\n" for code, when in CATALOGUE.items())
    table = f"\n| code | when |\n|---|---|\n{rows}\n"
    return TABLE.sub(lambda found: found[1] + table + found[2], text)


class Command(BaseCommand):
    help = "Writes the table of error codes into docs/api.md."

    def handle(self, *args: Any, **options: Any) -> None:
        document = Path(settings.BASE_DIR) / "docs" / "api.md"
        document.write_text(with_table(document.read_text()))
