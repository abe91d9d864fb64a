"""Doing again: `retry-failed`, the API once more for the fallback rows of a finished batch, and `rerun`, a whole batch.

A retry is a new generation of the result. The manifest says all its workflow needs, so it works after Temporal has
forgotten the batch. A rerun is a new batch, and the old result is kept.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from daemon.batchctl.arguments import add_id, add_reason, add_timeout
from daemon.batchctl.console.printing import put, say
from daemon.batchctl.exit_codes import DONE, FAILED, NotPossible
from daemon.batchctl.settings_in_use import SettingsInUse
from daemon.batchctl.state.batch_view import BatchView, retry_suffix
from daemon.batchctl.state.loaders import finished_output
from daemon.batchctl.state.resolve import offline, resolved
from daemon.batchctl.state.retries import end_of_retry
from daemon.batchctl.state.session import Session
from daemon.batchctl.state.waiting import Deadline
from daemon.rerun import Reruns

if TYPE_CHECKING:  # Temporal's SDK is loaded where it is asked
    from daemon.batchctl.state.live import LiveBatches
    from workflows.state import BatchRequest


def add_retry_failed(parser: argparse.ArgumentParser) -> None:
    """Declare `retry-failed`."""
    add_id(parser)
    parser.add_argument("--no-wait", action="store_true", help="return when the retry has started")
    add_timeout(parser)


async def run_retry_failed(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Start the next generation and wait for its manifest, whose path is printed."""
    from daemon.batchctl.state.retry_request import (  # noqa: PLC0415 - loads Temporal's SDK, which no help needs
        retry_request,
        start_retry,
        terms_of,
    )

    session = Session(in_use)
    identity = await resolved(session, parsed.id)
    receipt = session.receipts.read(identity)
    before = finished_output(session.output_dir(identity, receipt))
    fallback = before.document["counts"]["fallback"]
    if not fallback:
        say(f"{identity} has no fallback rows; there is nothing to retry" + _never_called_again(before))
        return DONE
    live = await session.live()
    settings = in_use.feeds.get(before.feed)
    terms = terms_of(settings, before, receipt)
    request = retry_request(settings.shape() if settings else terms.shape, before, terms)
    started = await start_retry(live, in_use.service, request)
    say(
        f"{identity}: {'retrying' if started else 'already retrying'} {fallback:,} fallback rows"
        + _never_called_again(before)
    )
    if parsed.no_wait:
        return DONE
    return await _until_end(live, session, request, Deadline(parsed.timeout))


def _never_called_again(before: BatchView) -> str:
    """Return what is said of rows that were not found: the API has answered for them."""
    not_found = before.counts.not_found
    return f" ({not_found:,} rows that were not found have their answer and are not called again)" if not_found else ""


async def _until_end(live: LiveBatches, session: Session, request: BatchRequest, deadline: Deadline) -> int:
    suffix = retry_suffix(request.generation)
    run = await end_of_retry(session, request.id, suffix, deadline)
    if run is None or run.state != "completed":
        why = (await live.with_end(run, request.id, suffix=suffix)).error if run else "Temporal has lost it"
        say(f"{request.id}: the retry failed: {why or (run.state if run else '')}")
        return FAILED
    after = finished_output(session.output_dir(request.id, session.receipts.read(request.id)))
    if after.generation < request.generation:
        raise NotPossible(f"{request.id}: the retry ended without a manifest of generation {request.generation}")
    left = after.document["counts"]["fallback"]
    say(f"{request.id}: {left:,} fallback rows left" if left else f"{request.id}: no fallback rows left")
    put(str(after.manifest))
    return DONE


def add_rerun(parser: argparse.ArgumentParser) -> None:
    """Declare `rerun`."""
    add_id(parser)
    add_reason(parser, required=True)


def run_rerun(in_use: SettingsInUse, parsed: argparse.Namespace) -> int:
    """Lay the source ready as a new batch and print its id; the daemon's next scan starts it."""
    session = Session(in_use)
    identity = offline(session, parsed.id)
    old = session.receipts.read(identity)
    if old is None:
        raise NotPossible(
            f"{identity} has no receipt in {in_use.service.state_dir}; drop its file into the inbox instead"
        )
    if not old.ended:
        raise NotPossible(f"{identity} is {old.state}; let it end, or 'batchctl cancel {identity}', before a rerun")
    settings = in_use.settings_of(old)
    new = Reruns(settings.inbox, settings.state_dir, settings.output_root).prepare(old, reason=parsed.reason)
    put(new.id)
    say(f"{new.id} does {identity} again; 'batchctl watch {new.id}' shows its progress")
    return DONE
