"""`python -m daemon.checker`: judge an installation, or one result."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from daemon.checker.documents import read_json
from daemon.checker.result import check_result
from daemon.checker.site import Evidence, check_site


def main(words: list[str], program: str = "python -m daemon.checker") -> int:
    """Print what does not hold, a line each; 0 where all does, 1 where not. `program` is the name it was called by."""
    parsed = build_parser(program).parse_args(words)
    if parsed.folder:
        found = check_result(parsed.folder, parsed.source)
    else:
        calls = read_json(parsed.calls)["repeated"] if parsed.calls else {}
        found = check_site(Evidence(state_dir=parsed.state_dir, calls=calls, most_repeats=parsed.most_repeats))
    for each in found:
        print(each)  # noqa: T201 - what it is for
    print(f"{len(found)} findings" if found else "every rule holds")  # noqa: T201 - as above
    return 1 if found else 0


def build_parser(program: str) -> argparse.ArgumentParser:
    """Return the parser of the program, called by this name."""
    parser = argparse.ArgumentParser(prog=program, description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--state-dir", type=Path, help="judge all batches of this state folder")
    what.add_argument("--folder", type=Path, help="judge this output folder, against --source")
    parser.add_argument("--source", type=Path, help="the file that the result was made from")
    parser.add_argument("--calls", type=Path, help="what GET /calls of the mock API answered")
    parser.add_argument("--most-repeats", type=int, default=0, help="calls that may have been repeated (default: 0)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
