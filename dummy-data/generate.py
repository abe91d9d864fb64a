"""Make a CSV file of users: seeded, so the same call gives the same bytes; streaming, so a million rows need no memory.

python dummy-data/generate.py                             the thousand users of users.csv, to standard output
python dummy-data/generate.py --rows 1000000 --output big.csv
python dummy-data/generate.py --rows 500 --nasty          quotes, line breaks, formulas, CRLF
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

COLUMNS = ["id", "first_name", "last_name", "email", "gender", "ip_address", "country"]
FIRST_NAMES = [
    "Ada",
    "Alan",
    "Barbara",
    "Chen",
    "Dana",
    "Edsger",
    "Fatima",
    "Grace",
    "Hedy",
    "Ines",
    "Jun",
    "Katherine",
]
LAST_NAMES = ["Allen", "Bartik", "Cerf", "Dijkstra", "Easley", "Floyd", "Goldberg", "Hopper", "Iverson", "Johnson"]
GENDERS = ["Female", "Male", "Nonbinary"]
COUNTRIES = ["DE", "FR", "BR", "IN", "JP", "NG", "MX", "SE"]
US_SHARE = 0.4
NASTY = [
    "comma, inside",
    'a "quoted" word',
    "line\nbreak",
    "carriage\r\nreturn",
    "=1+1",
    "  spaces  ",
    "",
    "Zoë 木村 🎉",
    "semi;colon\ttab",
    "'; --",
]


def rows(count: int, seed: int, *, nasty: bool) -> Iterator[list[str]]:
    """Yield `count` users."""
    chance = random.Random(seed)
    for number in range(1, count + 1):
        first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        country = "US" if chance.random() < US_SHARE else chance.choice(COUNTRIES)
        address = f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}"
        row = [str(number), first, last, f"{first}.{last}{number}@example.org".lower(), chance.choice(GENDERS), address]
        if nasty:
            row[chance.randrange(1, 5)] = chance.choice(NASTY)
        yield [*row, country]


def write(out: TextIO, count: int, seed: int, *, nasty: bool) -> None:
    """Write a header and `count` users to `out`."""
    writer = csv.writer(out, lineterminator="\r\n" if nasty else "\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(count, seed, nasty=nasty))


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(description="Make a CSV file of users, the same for the same seed.")
    parser.add_argument("--rows", type=int, default=1_000, help="users (1000)")
    parser.add_argument("--seed", type=int, default=42, help="where chance starts (42)")
    parser.add_argument("--output", type=Path, help="file to write (standard output)")
    parser.add_argument("--nasty", action="store_true", help="values that break careless readers")
    parsed = parser.parse_args()
    with contextlib.ExitStack() as stack:
        out: TextIO = sys.stdout
        if parsed.output:
            out = stack.enter_context(parsed.output.open("w", encoding="utf-8", newline=""))
        write(out, parsed.rows, parsed.seed, nasty=parsed.nasty)


if __name__ == "__main__":
    main()
