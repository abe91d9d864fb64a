"""In the parent: what one worker finds out about an API, the others hear; and one of them asks whether it is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from daemon.processes.child import Child
from daemon.processes.messages import Message
from daemon.shares.messages import ApiDown, ApiUp, Hold, Joins, Probe, ProbeGivenUp, WantsProbe

EARLY_S = 0.1
"""Clocks and messages are not exact: a probe that comes so much early is due."""


class ServiceOutages:
    """Which APIs are down, over all `children`. `clock` gives seconds."""

    def __init__(self, children: Sequence[Child], clock: Callable[[], float] = time.monotonic) -> None:
        self._children = children
        self._clock = clock
        self._down: dict[str, tuple[ApiDown, float]] = {}
        """By API, what was said last, and when it is to be asked."""
        self._probing: dict[str, Child] = {}
        for child in children:
            child.on(Joins, partial(self._joins, child))
            child.on(ApiDown, partial(self._api_down, child))
            child.on(ApiUp, partial(self._api_up, child))
            child.on(Hold, partial(self._tell_others, child))
            child.on(WantsProbe, partial(self._wants_probe, child))
            child.on(ProbeGivenUp, partial(self._probe_given_up, child))
            child.on_end.append(partial(self._ended, child))

    def _joins(self, child: Child, message: Joins) -> None:
        if message.api in self._down:
            said, probe_at = self._down[message.api]
            wait_s = max(0.0, probe_at - self._clock())
            child.send(ApiDown(api=message.api, detail=said.detail, wait_s=wait_s))

    def _api_down(self, child: Child, message: ApiDown) -> None:
        self._down[message.api] = message, self._clock() + message.wait_s
        self._probing.pop(message.api, None)
        self._tell_others(child, message)

    def _api_up(self, child: Child, message: ApiUp) -> None:
        self._down.pop(message.api, None)
        self._probing.pop(message.api, None)
        self._tell_others(child, message)

    def _wants_probe(self, child: Child, message: WantsProbe) -> None:
        _, probe_at = self._down.get(message.api, (None, 0.0))
        allowed = message.api not in self._probing and self._clock() >= probe_at - EARLY_S
        if allowed and message.api in self._down:
            self._probing[message.api] = child
        child.send(Probe(api=message.api, number=message.number, allowed=allowed))

    def _probe_given_up(self, child: Child, message: ProbeGivenUp) -> None:
        if self._probing.get(message.api) is child:
            del self._probing[message.api]

    def _ended(self, child: Child) -> None:
        self._probing = {api: probing for api, probing in self._probing.items() if probing is not child}

    def _tell_others(self, child: Child, message: Message) -> None:
        for other in self._children:
            if other is not child:
                other.send(message)
