"""What takes long: the figures of `scale` with ten million rows, and a hostile file of a gigabyte."""

from __future__ import annotations

from hostile import hostile
from scale import scale

if __name__ == "__main__":
    print(hostile())
    print(scale(large=10_000_000))
