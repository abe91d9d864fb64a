"""Ten million rows: the figures of `scale` once more, ten times larger."""

from __future__ import annotations

from scale import scale

if __name__ == "__main__":
    print(scale(large=10_000_000))
