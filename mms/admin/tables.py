"""Tables of related rows on admin pages. A row may have nested rows below it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Model
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# A page shows at most this many rows of a table.
MAX_ROWS = 200
COLORS = {
    "encoding": "info",
    "accepted": "info",
    "discovering": "info",
    "sending": "primary",
    "submitted": "primary",
    "in_doubt": "warning",
    "delivered": "success",
    "expired": "warning",
    "rejected": "danger",
    "failed": "danger",
    # attempt outcomes
    "transient": "warning",
    "limited": "warning",
    "permanent": "danger",
    "content_refused": "danger",
    "unreachable": "warning",
    # postbacks
    "pending": "info",
    "taken": "success",
    "given-up": "danger",
    # delivery reports
    "retrieved": "success",
    "forwarded": "info",
    "unrecognised": "warning",
    # timeline events without a status of the same name
    "in-doubt": "warning",
    "retry": "warning",
    "lost": "warning",
    "unprepared": "warning",
    "put-off": "warning",
    "resolved": "warning",
    "deadline": "warning",
    "ddm-failed": "danger",
    "ddm-undelivered": "warning",
    "ddm-delivered": "success",
    "adapted": "primary",
    "encoded": "primary",
    "unencoded": "danger",
    # content
    "ready": "success",
    "due": "info",
    "done": "success",
}


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of a row, with optional nested rows. A dict in a cell is shown as one line per field."""

    cols: Sequence[object]
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    headers: Sequence[str]
    rows: Sequence[Row]


def label(value: str | None, text: str = "") -> SafeString:
    """Return a colored label for a status or a kind, with the given text or the value itself."""
    if not value:
        return SafeString("-")
    text = text or value.replace("_", " ")
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": COLORS.get(value.lower())})


def link(row: Model | None, text: object = None) -> SafeString:
    """Return a link to the row's page, with the given text or the row's name."""
    if row is None:
        return SafeString("-")
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', url, row if text is None else text)


def no_wrap(text: str) -> SafeString:
    """Return the text marked to stay on one line."""
    return format_html('<span class="whitespace-nowrap">{}</span>', text)


def timestamp(at: datetime | None) -> SafeString:
    """Return date and time with milliseconds, because events of a message follow each other quickly."""
    return no_wrap(f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S.%f}"[:-3] if at else "-")


def transform_texts(tables: Iterable[Table], transform: Callable[[str], str]) -> list[Table]:
    """Return the tables with all plain texts transformed. Safe strings such as labels and links stay unchanged."""
    return [replace(table, rows=[_row(row, transform) for row in table.rows]) for table in tables]


def _row(row: Row, transform: Callable[[str], str]) -> Row:
    return replace(row, cols=_cells(row.cols, transform), rows=[_cells(cells, transform) for cells in row.rows])


def _cells(cells: Sequence[object], transform: Callable[[str], str]) -> tuple[object, ...]:
    return tuple(_cell(cell, transform) for cell in cells)


def _cell(cell: object, transform: Callable[[str], str]) -> object:
    if isinstance(cell, dict):
        return field_lines(cell, transform)
    return transform(cell) if isinstance(cell, str) and not isinstance(cell, SafeString) else cell


def field_lines(values: dict[str, Any], transform: Callable[[str], str] = str) -> SafeString:
    """Return one line for each field of a JSON object, and for each entry of a list in it."""
    pairs = ((transform(name), transform(str(value))) for name, given in values.items() for value in _as_list(given))
    return format_html_join("", '<div><span class="text-subtle">{}:</span> {}</div>', pairs)


def _as_list(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]


def format_size(size: int) -> str:
    """Return a size in kB, or in bytes if it is below 1 kB."""
    return f"{size / 1000:,.1f} kB" if size >= 1000 else f"{size} bytes"
