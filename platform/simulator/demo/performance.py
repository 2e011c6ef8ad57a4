"""Playing the story: sends the messages of each act and follows them to their ends."""

from collections.abc import Sequence

from rich.console import Console

from simulator.demo import checks, track, web
from simulator.demo.display import Display, display
from simulator.demo.processes import DemoError, TimedOut
from simulator.demo.stage import Stage
from simulator.demo.story import ACTS, Case
from simulator.demo.track import Track, Watch

PATIENCE = 40.0  # seconds that the messages of an act may take


def play(stage: Stage, console: Console) -> list[Track]:
    """The messages of the story and what became of them. Ends early where an act does not end in time."""
    watch = Watch(stage.simulator)
    with display(console, watch.tracks, checks.original_bytes()) as shown:
        for act in ACTS:
            _send(stage, act, watch)
            try:
                stage.processes.wait_for("messages to end", lambda: _followed(watch, shown), PATIENCE)
            except TimedOut:
                break
    return watch.tracks


def _send(stage: Stage, act: Sequence[Case], watch: Watch) -> None:
    for case in act:
        answer = web.call(stage.web, case.body)
        if answer.get("status") != "Success":
            raise DemoError(f"{case.title}: the platform answered {answer}")
        watch.tracks.append(track.begin(case, answer))


def _followed(watch: Watch, shown: Display) -> bool:
    """Tells what is new; whether all messages have ended."""
    for told, step in [*watch.news(), *watch.hurry()]:
        shown.show(told, step)
    return all(told.ended for told in watch.tracks)
