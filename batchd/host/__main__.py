"""`python3 batchd-VERSION-py3-none-any.whl/batchd/host install`, and `/opt/batchd/current/bin/batchd-host remove`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

WHEEL = next((each for each in Path(__file__).absolute().parents if each.is_file()), None)
"""The wheel that this runs from; None once it is installed."""

if WHEEL is not None:
    sys.path.insert(0, str(WHEEL))

from batchd.host import program, units  # noqa: E402 - found in the wheel only now
from batchd.host.program import HostError  # noqa: E402 - as above


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code: 1 where a step failed, whose words stand above."""
    parsed = build_parser().parse_args(arguments)
    try:
        if parsed.command == "install":
            program.install(WHEEL, server=not parsed.without_server)
        elif parsed.command == "place":
            units.place(program.CURRENT, Path("/"))
        elif parsed.command == "stage":
            units.stage(parsed.tree, parsed.program)
        else:
            units.remove(Path("/"))
            program.remove()
    except (HostError, OSError) as error:
        sys.stderr.write(f"batchd-host: {error}\n")
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(prog="batchd-host", description="Install, upgrade or remove batchd on this host.")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="command")
    install = commands.add_parser(
        "install", help="install the wheel that this is run from, or upgrade to it; what runs is restarted"
    )
    install.add_argument(
        "--without-server", action="store_true", help="leave the Temporal server out: 150 MB, for an outside server"
    )
    commands.add_parser("remove", help="remove programs and units; settings, state, inbox and results stay")
    commands.add_parser("place")  # the second half of install, run by what was just installed
    stage = commands.add_parser("stage")  # a part of deploy/debian/build.sh
    stage.add_argument("tree", type=Path)
    stage.add_argument("program", type=Path)
    return parser


if __name__ == "__main__":
    sys.exit(main())
