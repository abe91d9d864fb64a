"""Where `batchd` begins: the form of its lines first, so that no import of the rest says anything in another form."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from daemon.logs.first_lines import asks_for_json, begin_json_lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `batchd` and end the process with its exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = asks_for_json(given, os.environ)
    if as_json:
        begin_json_lines()
    from daemon.command import run  # noqa: PLC0415 - what its imports warn of is a line of the log by now

    code = run(given, as_json=as_json)
    sys.stdout.flush()
    sys.stderr.flush()
    # Temporal's native threads now and then abort the interpreter's own exit; everything is closed by now.
    os._exit(code)


if __name__ == "__main__":
    main()
