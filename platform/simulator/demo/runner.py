"""Run of the demo scenarios: sends the messages group by group and tracks them until they have finished."""

from collections.abc import Sequence

from rich.console import Console

from simulator.demo import checks, http_client
from simulator.demo.display import Display, display
from simulator.demo.environment import Environment
from simulator.demo.processes import DemoError, TimedOut
from simulator.demo.scenarios import GROUPS, Scenario
from simulator.demo.tracker import TrackedMessage, Tracker, start_tracking

GROUP_TIMEOUT = 40.0  # seconds


def run_scenarios(environment: Environment, console: Console) -> list[TrackedMessage]:
    """Run all scenarios and return the tracked messages. Stops after a group that does not finish in time."""
    tracker = Tracker(environment.simulator_port)
    with display(console, tracker.messages, checks.original_bytes()) as progress:
        for group in GROUPS:
            _send(environment, group, tracker)
            try:
                environment.processes.wait_for(
                    "messages to finish", lambda: _update_progress(tracker, progress), GROUP_TIMEOUT
                )
            except TimedOut:
                break
    return tracker.messages


def _send(environment: Environment, group: Sequence[Scenario], tracker: Tracker) -> None:
    for scenario in group:
        answer = http_client.call_api(environment.web_port, scenario.body)
        if answer.get("status") != "Success":
            raise DemoError(f"{scenario.title}: the platform answered {answer}")
        tracker.messages.append(start_tracking(scenario, answer))


def _update_progress(tracker: Tracker, progress: Display) -> bool:
    """Show the new steps, and return whether all messages have finished."""
    for tracked, step in [*tracker.poll(), *tracker.advance_deadlines()]:
        progress.show(tracked, step)
    return all(tracked.is_finished for tracked in tracker.messages)
