"""A new configuration for a running service: checked whole, then all of it takes hold, or nothing does.

Asked for by `batchctl reload` over the control socket and by SIGHUP. The file is read once: what was checked is what
takes hold, and what a worker that is killed comes back with, whatever stands in the file by then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from activities.api.transport.choice import transport_for
from activities.api.transport.tls import tls_context
from daemon.api_access import api_access
from daemon.config.api_spec import read_secrets
from daemon.config.changes import Changes, restart_needed
from daemon.config.configuration import Configuration, load_configuration
from daemon.config.findings import Finding, WrongConfiguration
from daemon.config.sections.api_section import ApiSection
from daemon.control.server import control_socket
from daemon.notify import notify
from workflows.errors import SettingsError

DONE, REFUSED, FAILED = "done", "refused", "failed"

NO_FILE = Finding(
    file="BATCH_* variables",
    line=0,
    key="",
    what="this service was started without a configuration file, and the environment of a running process cannot "
    "change",
    todo="restart batchd",
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reloaded:
    """What came of a reload: `done`, `refused` (nothing changed) or `failed` (a mistake of batchd's own)."""

    outcome: str
    findings: tuple[Finding, ...] = ()
    changes: Changes | None = None


class Reloader:
    """Loads the configuration of one service anew.

    `apply` makes a configuration that was checked take hold. `check` returns what is wrong with one that the file
    itself cannot show, such as a folder that cannot be made. `accepted` is the one that holds.
    """

    def __init__(
        self,
        service: str,
        configuration: Configuration,
        apply: Callable[[Configuration], Awaitable[None]],
        check: Callable[[Configuration], list[Finding]] = lambda _: [],
    ) -> None:
        self.accepted = configuration
        self.note = ""
        self._service = service
        self._apply = apply
        self._check = check
        self._lock = asyncio.Lock()

    async def reload(self) -> Reloaded:
        """Load the configuration anew and return what came of it, which the log says too."""
        async with self._lock:
            notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")
            reloaded = None
            try:
                reloaded = await self._reload()
                return reloaded
            finally:
                self.note = (
                    "" if reloaded and reloaded.outcome == DONE else "the last reload did not take hold: see the log"
                )
                notify(f"READY=1\nSTATUS={self.note}" if self.note else "READY=1")

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request that came over the control socket."""
        if request.get("command") != "reload":
            return {"error": f"does not know the command {request.get('command')!a}"}
        reloaded = await self.reload()
        return {
            "service": self._service,
            "pid": os.getpid(),
            "file": self.accepted.file.name if self.accepted.file else None,
            "outcome": reloaded.outcome,
            "findings": [asdict(each) for each in reloaded.findings],
            "changes": reloaded.changes.fields() if reloaded.changes else {},
        }

    async def _reload(self) -> Reloaded:
        try:
            new = await asyncio.to_thread(self._checked)
        except (SettingsError, OSError) as error:
            return _refused(error)
        changes = Changes.between(self.accepted, new)
        self.accepted = new
        try:
            await self._apply(new)
        except Exception:  # what was checked should hold; whatever it is, the service goes on
            logger.exception("reload.failed", extra={"fields": {"todo": "restart batchd"}})
            return Reloaded(outcome=FAILED, changes=changes)
        logger.info("reload.done", extra={"fields": {"config_sha256": new.config_sha256, **changes.fields()}})
        return Reloaded(outcome=DONE, changes=changes)

    def _checked(self) -> Configuration:
        old = self.accepted
        if old.file is None:
            raise WrongConfiguration([NO_FILE])
        new = load_configuration(Path(old.file.name))
        new.settings_by_feed()  # refuses what this version does not act upon
        findings = [*restart_needed(old, new), *unusable_apis(old, new)]
        if not findings:  # what is made or opened for a check belongs to a file that is right so far
            findings = self._check(new)
        if findings:
            raise WrongConfiguration(findings)
        return new


def _refused(error: SettingsError | OSError) -> Reloaded:
    """Say that nothing has changed, and why."""
    other = (Finding(file="", line=0, key="", what=str(error)),)
    findings = error.findings if isinstance(error, WrongConfiguration) else other
    fields = {"findings": [str(each) for each in findings], "todo": "correct them all, then reload again"}
    logger.error("reload.refused", extra={"fields": fields})
    return Reloaded(outcome=REFUSED, findings=findings)


@contextlib.asynccontextmanager
async def reloads(reloader: Reloader, hangups: asyncio.Event) -> AsyncIterator[None]:
    """Reload whenever `hangups` is set and whenever the control socket is asked to, while the block lasts."""

    async def follow() -> None:
        while await hangups.wait():
            hangups.clear()
            await reloader.reload()

    following = asyncio.create_task(follow())
    try:
        async with control_socket(reloader.accepted.service.state_dir, reloader.answer):
            yield
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


def unusable_apis(old: Configuration, new: Configuration) -> list[Finding]:
    """Return a finding for each API that came or changed and cannot be called: a secret, a certificate, a proxy."""
    findings = []
    for name, section in new.apis.items():
        for key, check in (("", _check_secrets), ("tls", _check_access)):
            if section == old.apis.get(name) and check is _check_secrets:
                continue  # it is read again when it is used, and calls wait for it as they did
            try:
                check(name, section)
            except (SettingsError, ValueError) as error:
                assert new.file is not None  # noqa: S101 - a configuration of a file
                line = new.file.line_of(("api", name, *([key] if key else [])))
                findings.append(Finding(file=new.file.name, line=line, key=f"api.{name}", what=str(error)))
                break
    return findings


def _check_secrets(_: str, section: ApiSection) -> None:
    read_secrets(section)


def _check_access(name: str, section: ApiSection) -> None:
    options = api_access(name, section).options
    tls_context(options)
    transport_for(options, options.url)
