"""In a worker: the calls that it may begin under a limit of calls a second, as the parent hands them out."""

from __future__ import annotations

from collections.abc import Callable

from daemon.shares.granted_limit import Site
from daemon.shares.messages import CallsBack, MayCall, Uses, WantsCalls

UNTIL_HANDED_OUT_S = 1.0
"""What is said to a caller until calls are handed out; it is told when they are."""

REVIEWS_KEPT = 10
"""Calls that are not begun for so many reviews go back: a worker may wait for its turn in another limit meanwhile."""


class GrantedRate:
    """Asks for calls while a caller waits for them; `on_more` is called when there are some."""

    def __init__(self, site: Site, name: str, rate: float, on_more: Callable[[], None]) -> None:
        self.name = name
        self.use = site.next_use()
        self._site = site
        self._rate = rate
        self._on_more = on_more
        self._calls = 0
        self._asks = False
        self._unused_reviews = 0
        site.send(Uses(limit=name, use=self.use, rate=rate))

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left, and nothing asked for."""
        return not (self._calls or self._asks)

    @property
    def is_closed(self) -> bool:
        """Whether it is used no more."""
        return not self._rate

    def wait_s(self) -> float:
        """Return the seconds until the next call may go; 0 where it may now."""
        if self._calls:
            return 0.0
        if not self._asks and self._rate:
            self._asks = True
            self._site.wake()
            self._site.send(WantsCalls(limit=self.name, use=self.use))
        return UNTIL_HANDED_OUT_S

    def take(self) -> None:
        """Use up one call."""
        self._calls -= 1
        self._unused_reviews = 0

    def change_rate(self, rate: float) -> None:
        """Share another rate from now on."""
        if rate != self._rate:
            self._rate = rate
            self._site.send(Uses(limit=self.name, use=self.use, rate=rate))

    def close(self) -> None:
        """Use the limit no more."""
        self._give_back()
        self._rate = 0.0
        self._asks = False
        self._site.send(Uses(limit=self.name, use=self.use, rate=0.0))

    def handed_out(self, message: MayCall) -> None:
        """Begin so many calls more, if anybody wants to."""
        self._asks = False
        if self.is_closed:
            self._site.send(CallsBack(limit=self.name, use=self.use, calls=message.calls))
            return
        self._calls += message.calls
        self._unused_reviews = 0
        self._site.wake()
        self._on_more()

    def review(self) -> None:
        """Give back what nobody has wanted for a while. To be called at times."""
        self._unused_reviews += 1
        if self._unused_reviews > REVIEWS_KEPT:
            self._give_back()

    def _give_back(self) -> None:
        if self._calls:
            self._site.send(CallsBack(limit=self.name, use=self.use, calls=self._calls))
            self._calls = 0
