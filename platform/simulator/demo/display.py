"""Telling the story: a live table on a terminal, else one line a step."""

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
from simulator.demo import checks, world
from simulator.demo.track import Step, Track

HEADINGS = ("What it shows", "Number", "Handset", "Postbacks")
STYLES = {"N": "green", "E": "yellow"}


class Display(Protocol):
    def show(self, track: Track, step: Step) -> None:
        """Tells of one step of one message."""


class Lines:
    """One line a step: when, which number, where, what."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def show(self, track: Track, step: Step) -> None:
        at = timezone.localtime(step.at).strftime("%H:%M:%S.%f")[:-3]
        text = f"{at}  {track.case.number}  {step.where:<8}  {step.code:<4}  {step.text}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Rows:
    """A table with a row a message, redrawn at every step."""

    def __init__(self, live: Live, tracks: Sequence[Track], before: int) -> None:
        """`before`: the bytes of the template's media as they were supplied."""
        self._live = live
        self._tracks = tracks
        self._before = before

    def show(self, track: Track, step: Step) -> None:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in HEADINGS:
            table.add_column(heading)
        table.add_column("Bytes before → after", justify="right")
        for told in self._tracks:
            table.add_row(told.case.title, told.case.number, _handset(told), _steps(told), self._bytes(told))
        self._live.update(table, refresh=True)
        if step.where == "demo":
            self._live.console.print(f"{track.case.number}: {step.text}", highlight=False)

    def _bytes(self, track: Track) -> str:
        sent = next((entry.get("bytes") for entry in track.submits), None)
        return f"{self._before:,} → {sent:,}" if sent else f"{self._before:,}"


@contextmanager
def display(console: Console, tracks: Sequence[Track], before: int) -> Iterator[Display]:
    """The table on a terminal, lines elsewhere. `tracks` may grow while it is shown."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with Live(console=console, auto_refresh=False) as live:
        yield Rows(live, tracks, before)


def _handset(track: Track) -> Text:
    """What the message is adapted to, as far as that is decided."""
    if "adapted" not in track.kinds:
        return Text("…", "dim")
    return Text(track.case.handset.name if track.message.handset else "generic profile")


def _steps(track: Track) -> Text:
    """The codes of the postbacks so far; before the first, that the message was accepted."""
    codes = [Text(code, STYLES.get(code[0], "")) for code in track.codes]
    return Text(" ").join(codes) if codes else Text("accepted", "dim")


def photograph(tracks: Sequence[Track]) -> Iterator[str]:
    """The 12-megapixel picture before, and after adaptation to each handset."""
    source = checks.photograph()
    yield (
        f"The photograph, {source.width}x{source.height} pixels, {source.size:,} bytes,"
        f" EXIF orientation {source.orientation}, arrived as:"
    )
    for track in tracks:
        if made := checks.rendition(track):
            adapted_to = track.case.handset.name if track.message.handset else "generic profile"
            yield (
                f"  {track.case.number}  {adapted_to:<24}  {f'{made.width}x{made.height}':>9}"
                f"  {made.size:>9,} bytes  JPEG quality {made.quality}"
            )


def costs(tracks: Sequence[Track]) -> Iterator[str]:
    """What the messages cost their account, by the prices of the demo."""
    account = tracks[0].message.account
    each = ", ".join(f"{name.upper()} {format_amount(price, account.currency)}" for name, price in world.PRICES.items())
    cost = format_amount(sum(map(checks.settled, tracks)), account.currency)
    left = format_amount(Balance.objects.get(account=account).balance, account.currency)
    yield f"Prices: {each}. The messages cost {cost}; the account has {left} left."
