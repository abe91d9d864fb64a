"""The file that is worked: users that follow from the seed, and what the mock API adds to each."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping
from pathlib import Path

NAME = "users.csv"
COLUMNS = ("id", "first_name", "last_name", "email", "country")
FIRST_NAMES = ("Ada", "Alan", "Barbara", "Edsger", "Fatima", "Grace", "Hedy", "Jun", "Katherine", "Zoë")
LAST_NAMES = ("Allen", "Bartik", "Cerf", "Dijkstra", "Easley", "Floyd", "Goldberg", "Hopper", "Johnson", "O'Neil")
COUNTRIES = ("US", "US", "DE", "FR", "BR", "IN", "JP", "NG", "SE")


def write_users(path: Path, rows: int, chance: random.Random) -> None:
    """Write a CSV file of `rows` users beside its place, and then put it there whole."""
    part = path.with_name(f".{path.name}")
    with part.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for number in range(1, rows + 1):
            first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
            email = f"user{number}@example.org"
            writer.writerow([number, first, last, email, chance.choice(COUNTRIES)])
    part.rename(path)


def region(row: Mapping[str, str]) -> dict[str, str]:
    """Return what the mock API adds to a row, worked out here once more."""
    return {"region": "NA" if row["country"] == "US" else "INTL"}
