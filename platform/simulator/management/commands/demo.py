"""`manage.py demo`: the whole platform against a simulated network, from saveMMS to the last postback."""

import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console

from simulator.demo import checks, display
from simulator.demo.performance import play
from simulator.demo.processes import DemoError
from simulator.demo.stage import Stage, running, url
from simulator.demo.track import Track

USER = "demo"
LOOK = 0.5  # seconds between two looks at the processes


class Command(BaseCommand):
    help = "Sends messages to simulated handsets and shows every step. Needs `manage.py servers start` first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="check the story and end, with status 1 if it differs")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        try:
            with running() as stage:
                tracks = play(stage, Console())
                differing = self._check(tracks)
                if not once:
                    self._stay(stage)
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("interrupted", returncode=130) from None
        if differing:
            raise CommandError(f"checks that differ: {differing}")

    def _check(self, tracks: Sequence[Track]) -> int:
        """Prints what the story shows, a line a check; returns how many differ."""
        self.stdout.write("")
        for line in (*display.photograph(tracks), *display.costs(tracks)):
            self.stdout.write(line)
        made = list(checks.of_story(tracks))
        self._write("The story", made)
        of_books = list(checks.of_books(tracks))
        self._write("The books", of_books)
        made += of_books
        for track in tracks:
            of_message = list(checks.of_message(track))
            self._write(f"{track.case.title}, {track.case.number}, {track.message.tracking_id}", of_message)
            made += of_message
        differing = sum(not check.ok for check in made)
        self.stdout.write(f"\n{len(made)} checks, {differing} differ")
        return differing

    def _write(self, heading: str, made: Sequence[checks.Check]) -> None:
        self.stdout.write(f"\n{heading}")
        for check in made:
            self.stdout.write(f"  {check}")

    def _stay(self, stage: Stage) -> None:
        """Shows where to look, until Ctrl-C. Raises DemoError if a process ends."""
        password = secrets.token_urlsafe(9)
        _admin(password)
        self.stdout.write(f"\nAdmin         {url(stage.web, '/admin/')}   user {USER}, password {password}")
        self.stdout.write(f"Handset wall  {url(stage.simulator, '/')}")
        self.stdout.write(f"Postback log  {url(stage.simulator, '/postbacks')}")
        self.stdout.write("Ctrl-C ends the demo.")
        with suppress(KeyboardInterrupt):
            while True:
                stage.processes.check()
                time.sleep(LOOK)


def _admin(password: str) -> None:
    user, _ = get_user_model().objects.update_or_create(
        username=USER, defaults={"is_staff": True, "is_superuser": True}
    )
    user.set_password(password)
    user.save()
