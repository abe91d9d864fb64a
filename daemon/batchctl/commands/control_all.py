"""`pause` and `resume` of many batches by one word: all, those of a feed, those that call an API.

A pause by a person and a question about a limit are decisions, so `resume` leaves them unless it is told otherwise;
what the API refused is no decision, and goes on.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from daemon.batchctl.console.printing import put_json, say
from daemon.batchctl.exit_codes import DONE, FAILED, NotPossible
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import NO_WORKER, NOT_STARTED, BatchView
from daemon.batchctl.state.open_batches import OpenBatch, kinds, open_batches
from daemon.batchctl.state.session import Session, ask_each, known_feed
from daemon.batchctl.state.taking_hold import TAKES_HOLD_S, is_going_on, is_quiet, within
from workflows.errors import SettingsError
from workflows.models import Control, Pause

if TYPE_CHECKING:  # Temporal's SDK is loaded where it is asked
    from daemon.batchctl.state.live import LiveBatches

PAUSED_BY = ("refusal", "question", "person", "anything")
PAUSED_BY_HELP = (
    "with --all, --feed or --api, which batches go on: those that batchd paused because the API refused it (refusal, "
    "the default), those that ask about a limit, those that a person paused, or all of them"
)
LEFT = {
    "refusal": "paused over a refusal of the API",
    "question": "asking about a limit",
    "person": "paused by a person",
}
Done = Literal["done", "would", "recorded", "left", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one batch: `recorded` takes hold when a worker is back or the calls in flight are over."""

    view: BatchView
    done: Done
    what: str
    pause: Pause | None = None

    def document(self) -> dict[str, Any]:
        """Return it as `--json` has it."""
        view, pause = self.view, self.pause
        return {
            "id": view.id,
            "generation": view.generation,
            "feed": view.feed or None,
            "api": view.api or None,
            "outcome": self.done,
            "what": self.what,
            "paused": {"by": pause.by, "reason": pause.reason, "since": pause.since} if pause else None,
            "paused_by": pause.kind if pause else None,
        }


def add_many(parser: argparse.ArgumentParser) -> None:
    """Let the command take many batches."""
    parser.add_argument("--all", action="store_true", help="every batch that has not ended")
    parser.add_argument("--feed", metavar="F", help="every batch of this feed")
    parser.add_argument("--api", metavar="A", help="every batch that calls this API")
    parser.add_argument("--dry-run", action="store_true", help="of many: only say what would be done")
    parser.add_argument("--json", action="store_true", help="of many: print one JSON document (see docs/batchctl.md)")


def is_of_many(parsed: argparse.Namespace) -> bool:
    """Return whether the command is about many batches.

    Raises:
        SettingsError: it names one too, or none, or says of one what can be said of many.
    """
    many = bool(parsed.all or parsed.feed or parsed.api)
    if many == bool(parsed.id):
        raise SettingsError(f"{parsed.command}: give one ID, or --all, --feed F or --api A")
    if not many and (parsed.dry_run or parsed.json or getattr(parsed, "paused_by", "refusal") != "refusal"):
        raise SettingsError(f"{parsed.command}: --dry-run, --json and --paused-by go with --all, --feed F or --api A")
    return many


async def pause_all(in_use: SettingsInUse, parsed: argparse.Namespace, control: Control) -> int:
    """Pause every batch that is meant. One that cannot be paused does not stop the others, and is exit code 1."""
    session, batches = await _meant(in_use, parsed)

    def judged(each: OpenBatch) -> tuple[Done, str]:
        if each.trouble and each.sign == "unknown" and each.view.waiting_on != NO_WORKER:
            return "failed", f"cannot be looked at: {each.trouble}"
        if each.pause:
            return "left", f"is already paused by {each.pause.by or 'an operator'}"
        if each.view.cancelling:
            return "left", "is being cancelled"
        if each.view.waiting_on == NOT_STARTED:
            return "failed", "has not been started yet, so it cannot be paused; it will start"
        return "would", "would be paused"

    outcomes = await _acted(session, batches, judged, control, "pause", dry_run=parsed.dry_run)
    return _report(session, parsed, outcomes, "paused")


async def resume_all(in_use: SettingsInUse, parsed: argparse.Namespace, control: Control) -> int:
    """Resume the paused batches that are meant, and say which are left. One that cannot be is exit code 1."""
    session, batches = await _meant(in_use, parsed)

    def judged(each: OpenBatch) -> tuple[Done, str]:
        if each.pause is None:
            return "failed", f"is left: {each.trouble}"
        since = f"{LEFT[each.pause.kind]}: {each.pause.reason or 'no reason given'}"
        if parsed.paused_by in {each.pause.kind, "anything"}:
            return "would", f"would go on ({since})"
        return "left", f"is left, {since}"

    stand = [each for each in batches if each.pause or each.trouble]
    outcomes = await _acted(session, stand, judged, control, "resume", dry_run=parsed.dry_run)
    code = _report(session, parsed, outcomes, "resumed")
    if any(each.done == "done" and each.pause and each.pause.kind == "refusal" for each in outcomes):
        say("what the API refuses again pauses again; 'batchctl list --state paused' shows it in a moment")
    left = kinds(each for each in stand if parsed.paused_by not in {"anything", each.pause and each.pause.kind})
    for kind, number in left.items():
        batches_are, them = ("batch is", "it") if number == 1 else ("batches are", "them")
        say(f"{number:,} {batches_are} left, {LEFT[kind]}; --paused-by {kind} takes {them}")
    return code


async def _meant(in_use: SettingsInUse, parsed: argparse.Namespace) -> tuple[Session, list[OpenBatch]]:
    session = Session(in_use, known_feed(in_use, parsed.feed))
    batches = await open_batches(session, parsed.api)
    if not batches:
        session.refuse_where_none_ever_ran()
    return session, batches


async def _acted(
    session: Session,
    batches: list[OpenBatch],
    judged: Callable[[OpenBatch], tuple[Done, str]],
    control: Control,
    signal: Literal["pause", "resume"],
    *,
    dry_run: bool,
) -> list[Outcome]:
    """Send the signal to all that are to have it, then wait for all together until it has taken hold."""
    judgements = [(each, *judged(each)) for each in batches]
    if dry_run or not any(done == "would" for _, done, _ in judgements):
        return [Outcome(view=each.view, done=done, what=what, pause=each.pause) for each, done, what in judgements]
    live = await session.live()

    async def sent(each: OpenBatch) -> str:
        try:
            await live.signal(each.view.id, signal, control, suffix=each.view.suffix)
        except NotPossible as error:
            return str(error)
        return ""

    to_send = [each for each, done, _ in judgements if done == "would"]
    refused = dict(zip(map(id, to_send), await ask_each(sent, to_send), strict=True))
    held = await _held(live, [each for each in to_send if not refused[id(each)]], signal)

    def outcome(each: OpenBatch, done: Done, what: str) -> Outcome:
        if done == "would" and refused[id(each)]:
            done, what = "failed", refused[id(each)]
        elif done == "would":
            done, what = held[id(each)]
        return Outcome(view=each.view, done=done, what=what, pause=each.pause)

    return [outcome(*each) for each in judgements]


async def _held(
    live: LiveBatches, batches: list[OpenBatch], signal: Literal["pause", "resume"]
) -> dict[int, tuple[Done, str]]:
    """Return what came of each; those without a worker are not waited for."""
    is_held: Callable[[LiveBatches, BatchView], Awaitable[bool]] = is_quiet if signal == "pause" else is_going_on
    open_ones = {id(each): each for each in batches if each.view.waiting_on != NO_WORKER}

    async def all_held() -> bool:
        asked = list(open_ones.values())
        for each, done in zip(asked, await ask_each(lambda each: is_held(live, each.view), asked), strict=True):
            if done:
                del open_ones[id(each)]
        return not open_ones

    await within(TAKES_HOLD_S, all_held)
    return {id(each): _held_or_recorded(each, signal, held=id(each) not in open_ones) for each in batches}


def _held_or_recorded(each: OpenBatch, signal: str, *, held: bool) -> tuple[Done, str]:
    if each.view.waiting_on == NO_WORKER:
        return "recorded", "has it recorded; no worker answers, so it takes hold when one is back"
    if held:
        return "done", "is paused" if signal == "pause" else "is running"
    later = "calls in flight are still being finished" if signal == "pause" else "it takes hold as soon as it answers"
    return "recorded", f"has it recorded; {later}"


def _report(session: Session, parsed: argparse.Namespace, outcomes: list[Outcome], done: str) -> int:
    """Print what became of each, and the sum; return the exit code."""
    failed = any(each.done == "failed" for each in outcomes)
    if parsed.json:
        batches = [each.document() for each in outcomes]
        put_json({"ok": not failed, "dry_run": parsed.dry_run, "command": parsed.command, "batches": batches})
    else:
        for each in outcomes:
            say(f"{each.view.name} {each.what}")
    counts = Counter(each.done for each in outcomes)
    taken = counts["would"] if parsed.dry_run else counts["done"] + counts["recorded"]
    of = f" of the feed {session.feed}" if session.feed else ""
    of += f" that calls the API {parsed.api}" if parsed.api else ""
    if not outcomes:
        say(f"no batch{of} is {'running' if done == 'paused' else 'paused'}")
        return DONE
    would = "would be " if parsed.dry_run else ""
    left = f", {counts['left']:,} left" if counts["left"] else ""
    say(f"{taken:,} {would}{done}{left}" + (f", {counts['failed']:,} failed" if failed else ""))
    return FAILED if failed else DONE
