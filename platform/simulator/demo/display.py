"""Progress display of the demo: a live table on a terminal, one line per step otherwise."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from django.utils import timezone
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from billing.amounts import format_amount
from billing.models import Balance
from simulator.demo import checks, sample_data
from simulator.demo.tracker import Step, TrackedMessage

HEADINGS = ("Scenario", "Number", "Handset", "Postbacks")
STYLES = {"N": "green", "E": "yellow"}


class Display(Protocol):
    def show(self, tracked: TrackedMessage, step: Step) -> None:
        """Show one step of one message."""


class LineDisplay:
    """One line per step: time, number, place and text."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, tracked: TrackedMessage, step: Step) -> None:
        at = timezone.localtime(step.at).strftime("%H:%M:%S.%f")[:-3]
        text = f"{at}  {tracked.scenario.number}  {step.where:<8}  {step.code:<4}  {step.text}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class TableDisplay:
    """A table with one row per message, redrawn at every step."""

    def __init__(self, live: Live, messages: Sequence[TrackedMessage], original_bytes: int) -> None:
        self._live = live
        self._messages = messages
        self._original_bytes = original_bytes

    def show(self, tracked: TrackedMessage, step: Step) -> None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in HEADINGS:
            table.add_column(heading)
        table.add_column("Bytes original → sent", justify="right")
        for row in self._messages:
            table.add_row(
                row.scenario.title, row.scenario.number, _handset(row), _postback_codes(row), self._bytes(row)
            )
        self._live.update(table, refresh=True)
        if step.where == "demo":
            self._live.console.print(f"{tracked.scenario.number}: {step.text}", highlight=False)

    def _bytes(self, tracked: TrackedMessage) -> str:
        sent = next((entry.get("bytes") for entry in tracked.submits), None)
        return f"{self._original_bytes:,} → {sent:,}" if sent else f"{self._original_bytes:,}"


@contextmanager
def display(console: Console, messages: Sequence[TrackedMessage], original_bytes: int) -> Iterator[Display]:
    """Provide a display for the console. `messages` may grow while it is open.

    `original_bytes` is the size of the template's media as supplied by the customer.
    """
    if not console.is_terminal:
        yield LineDisplay(console)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield TableDisplay(live, messages, original_bytes)


def _handset(tracked: TrackedMessage) -> Text:
    """Return the name of the handset that the message is adapted to, or an ellipsis before the adaptation."""
    if "adapted" not in tracked.kinds:
        return Text("…", "dim")
    return Text(tracked.scenario.handset.name if tracked.message.handset else "generic profile")


def _postback_codes(tracked: TrackedMessage) -> Text:
    """Return the codes of the postbacks received so far, or "accepted" if there are none."""
    codes = [Text(code, STYLES.get(code[0], "")) for code in tracked.codes]
    return Text(" ").join(codes) if codes else Text("accepted", "dim")


def photograph_summary(messages: Sequence[TrackedMessage]) -> Iterator[str]:
    """Yield lines on the 12-megapixel picture: the original and its rendition for each handset."""
    source = checks.photograph()
    yield (
        f"The photograph, {source.width}x{source.height} pixels, {source.size:,} bytes,"
        f" EXIF orientation {source.orientation}, was adapted to:"
    )
    for tracked in messages:
        if adapted := checks.rendition(tracked):
            adapted_to = tracked.scenario.handset.name if tracked.message.handset else "generic profile"
            yield (
                f"  {tracked.scenario.number}  {adapted_to:<24}  {f'{adapted.width}x{adapted.height}':>9}"
                f"  {adapted.size:>9,} bytes  JPEG quality {adapted.quality}"
            )


def cost_summary(messages: Sequence[TrackedMessage]) -> Iterator[str]:
    """Yield a line on the cost of the messages."""
    account = messages[0].message.account
    prices = ", ".join(
        f"{name.upper()} {format_amount(price, account.currency)}" for name, price in sample_data.PRICES.items()
    )
    cost = format_amount(sum(map(checks.amount_charged, messages)), account.currency)
    balance = format_amount(Balance.objects.get(account=account).balance, account.currency)
    yield f"Prices: {prices}. Cost of the messages: {cost}; remaining balance: {balance}."
