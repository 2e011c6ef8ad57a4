"""Tables on the pages of the console: rows of cells, where a row may have a table of its own below it."""

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

# A page shows so many rows of one table at most, however many there are.
MOST = 200
COLOURS = {
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
    # outcomes of attempts
    "transient": "warning",
    "limited": "warning",
    "permanent": "danger",
    "content_refused": "danger",
    # postbacks
    "pending": "info",
    "taken": "success",
    "given-up": "danger",
    # delivery reports
    "retrieved": "success",
    "forwarded": "info",
    "unrecognised": "warning",
    # steps of a timeline that are named otherwise
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
    """The cells of a row, and below them rows that belong to it. A JSON object becomes a line for each field."""

    cols: Sequence[object]
    headers: Sequence[str] = ()
    rows: Sequence[Sequence[object]] = ()


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    headers: Sequence[str]
    rows: Sequence[Row]


def label(value: str | None) -> SafeString:
    """A status or a kind as a coloured label."""
    if not value:
        return SafeString("-")
    text = value.replace("_", " ")
    return render_to_string("unfold/helpers/label.html", {"text": text, "type": COLOURS.get(value.lower())})


def link(row: Model | None, text: object = None) -> SafeString:
    """A link to the row's own page, called as given or else as the row calls itself."""
    if row is None:
        return SafeString("-")
    url = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a class="text-link" href="{}">{}</a>', url, row if text is None else text)


def unbroken(text: str) -> SafeString:
    """A text that stays in one line, however narrow its column."""
    return format_html('<span class="whitespace-nowrap">{}</span>', text)


def moment(at: datetime | None) -> SafeString:
    """Date and time to the millisecond: steps of one message follow each other fast."""
    return unbroken(f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S.%f}"[:-3] if at else "-")


def worded(tables: Iterable[Table], words: Callable[[str], str]) -> list[Table]:
    """The tables with their texts in these words: whatever is no element of ours, such as a label or a link."""
    return [replace(table, rows=[_row(row, words) for row in table.rows]) for table in tables]


def _row(row: Row, words: Callable[[str], str]) -> Row:
    return replace(row, cols=_cells(row.cols, words), rows=[_cells(cells, words) for cells in row.rows])


def _cells(cells: Sequence[object], words: Callable[[str], str]) -> tuple[object, ...]:
    return tuple(_cell(cell, words) for cell in cells)


def _cell(cell: object, words: Callable[[str], str]) -> object:
    if isinstance(cell, dict):
        return lines(cell, words)
    return words(cell) if isinstance(cell, str) and not isinstance(cell, SafeString) else cell


def lines(values: dict[str, Any], words: Callable[[str], str] = str) -> SafeString:
    """A JSON object, a line for each of its fields and for each entry of a list in it."""
    pairs = ((name, words(str(value))) for name, given in values.items() for value in _each(given))
    return format_html_join("", '<div><span class="text-subtle">{}:</span> {}</div>', pairs)


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list) else [value]


def bytes_of(size: int) -> str:
    """A size in bytes, as people read it and exactly."""
    return f"{size / 1000:,.1f} kB" if size >= 1000 else f"{size} bytes"
