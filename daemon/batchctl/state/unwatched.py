"""What a command that waits says meanwhile of an inbox that nobody works."""

from __future__ import annotations

import time

from daemon.batchctl.console.printing import say
from daemon.config.settings import Settings
from daemon.intake.sign_of_life import watch_of

LOOK_S = 1.0


class UnwatchedInbox:
    """Says once, on standard error, that no daemon works the inbox, and once that one does again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looked_at_s = float("-inf")
        self._said = ""

    def say_news(self) -> None:
        """Look, at most once a second, and say what has changed."""
        if time.monotonic() - self._looked_at_s < LOOK_S:
            return
        self._looked_at_s = time.monotonic()
        watch = watch_of(self._settings)
        if watch.trouble and watch.attendance != self._said:
            say(watch.trouble)
            self._said = watch.attendance
        elif self._said and watch.attendance == "watched":
            say(watch.why)
            self._said = ""
