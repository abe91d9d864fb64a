"""`rerun`: the whole batch again, deliberately; the old result is kept."""

from __future__ import annotations

import argparse

from daemon.batchctl.arguments import add_id, add_reason
from daemon.batchctl.console.printing import put, say
from daemon.batchctl.exit_codes import DONE, NotPossible
from daemon.batchctl.state.resolve import offline
from daemon.batchctl.state.session import Session
from daemon.config.settings import Settings
from daemon.rerun import Reruns


def add_rerun(parser: argparse.ArgumentParser) -> None:
    """Declare `rerun`."""
    add_id(parser)
    add_reason(parser, required=True)


def run_rerun(settings: Settings, parsed: argparse.Namespace) -> int:
    """Lay the source ready as a new batch and print its id; the daemon's next scan starts it."""
    session = Session(settings)
    identity = offline(session, parsed.id)
    old = session.receipts.read(identity)
    if old is None:
        raise NotPossible(f"{identity} has no receipt in {settings.state_dir}; drop its file into the inbox instead")
    if not old.ended:
        raise NotPossible(f"{identity} is {old.state}; let it end, or 'batchctl cancel {identity}', before a rerun")
    new = Reruns(settings.inbox, settings.state_dir, settings.output_root).prepare(old, reason=parsed.reason)
    put(new.id)
    say(f"{new.id} does {identity} again; 'batchctl watch {new.id}' shows its progress")
    return DONE
