"""`set`: how hard a running batch may press the API."""

from __future__ import annotations

import argparse
import contextlib
import math

from daemon.batchctl.arguments import ID_HELP, add_reason
from daemon.batchctl.commands.control import requested_by
from daemon.batchctl.console.printing import say
from daemon.batchctl.exit_codes import DONE, FAILED, NotPossible
from daemon.batchctl.settings_in_use import SettingsInUse, known_name
from daemon.batchctl.state.batch_view import ENDED, NOT_STARTED
from daemon.batchctl.state.resolve import resolved
from daemon.batchctl.state.retries import steered
from daemon.batchctl.state.session import Session, ask_each, known_feed
from workflows.errors import SettingsError
from workflows.models import MAX_CONCURRENCY, LimitsChange


def add_set(parser: argparse.ArgumentParser) -> None:
    """Declare `set`."""
    parser.add_argument("arguments", nargs="*", metavar="ID | NAME=VALUE", help=f"{ID_HELP}; concurrency=N, rate=R")
    many = parser.add_mutually_exclusive_group()
    many.add_argument("--all", action="store_true", help="every batch that has not ended")
    many.add_argument("--feed", metavar="F", help="every batch of this feed that has not ended")
    many.add_argument("--api", metavar="A", help="every batch that calls this API and has not ended")
    add_reason(parser)


async def run_set(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Change the limits and say what they are now. Of several batches, one that fails does not stop the others."""
    session = Session(in_use, known_feed(in_use, parsed.feed))
    names = [each for each in parsed.arguments if "=" not in each]
    many = bool(parsed.all or parsed.feed or parsed.api)
    if many == bool(names) or len(names) > 1:
        raise SettingsError("set: give one ID, or --all, --feed F or --api A, and then concurrency=N or rate=R")
    change = _change([each for each in parsed.arguments if "=" in each], parsed.reason)
    if many:
        return await _set_all(session, parsed.api, change)
    say(await _set(session, await resolved(session, names[0]), change))
    return DONE


async def _set_all(session: Session, api: str | None, change: LimitsChange) -> int:
    open_ones = [each for each in session.newest_first() if not each.ended]
    if api is not None:
        known_name("API", api, {*session.in_use.apis, *map(session.in_use.api_of, open_ones)})
    running = [each.id for each in open_ones if api in {None, session.in_use.api_of(each)}]
    if not running:
        session.refuse_where_none_ever_ran()
        of = f" of the API {api}" if api else f" of the feed {session.feed}" if session.feed else ""
        say(f"no batch{of} is running")
        return DONE
    await session.live()

    async def outcome(identity: str) -> tuple[bool, str]:
        try:
            return True, await _set(session, identity, change)
        except NotPossible as error:
            return False, str(error)

    outcomes = await ask_each(outcome, running)
    for _, message in outcomes:
        say(message)
    return DONE if all(done for done, _ in outcomes) else FAILED


async def _set(session: Session, identity: str, change: LimitsChange) -> str:
    """Change the limits of one batch, or of its retry, and return what to say.

    Raises:
        NotPossible: it does not run, or no worker answers. An update that nobody takes would wait at the server and
            take hold some day, so it is not even sent.
    """
    view = await steered(session, identity)
    if view.state in ENDED:
        raise NotPossible(f"{identity} is {view.state}; there is nothing to limit")
    if view.waiting_on == NOT_STARTED:
        raise NotPossible(f"{identity} has not been started yet, so nothing was changed; try again in a moment")
    if not view.answered:
        todo = "start 'batchd run' or 'batchd work', then set it again"
        raise NotPossible(f"{view.name}: no worker answers, so nothing was changed; {todo}")
    limits = await (await session.live()).set_limits(identity, change, suffix=view.suffix)
    concurrency = "as the service" if limits.concurrency is None else limits.concurrency
    rate = "as the service" if limits.rate is None else f"{limits.rate:g} calls/s" if limits.rate else "no limit"
    return f"{view.name}: concurrency {concurrency}, rate {rate}"


def _change(assignments: list[str], reason: str) -> LimitsChange:
    """Return the change that `NAME=VALUE` arguments mean.

    Raises:
        SettingsError: there are none, or one is out of bounds.
    """
    if not assignments:
        raise SettingsError("set: nothing to set; give concurrency=N or rate=R, or both")
    values = dict(each.split("=", 1) for each in assignments)
    if unknown := values.keys() - {"concurrency", "rate"}:
        raise SettingsError(f"set: {min(unknown)} is no limit; there are concurrency and rate")
    control = requested_by(reason)
    return LimitsChange(
        concurrency=_concurrency(values["concurrency"]) if "concurrency" in values else None,
        rate=_rate(values["rate"]) if "rate" in values else None,
        by=control.by,
        reason=control.reason,
    )


def _concurrency(text: str) -> int:
    with contextlib.suppress(ValueError):
        if 1 <= int(text) <= MAX_CONCURRENCY:
            return int(text)
    raise SettingsError(f"set: concurrency must be a whole number from 1 to {MAX_CONCURRENCY}, it is {text!r}")


def _rate(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise SettingsError(f"set: rate must be 0 (no limit) or more calls a second, it is {text!r}")
