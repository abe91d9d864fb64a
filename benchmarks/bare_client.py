"""The script that batchd is measured against: the same calls, nothing durable.

    python benchmarks/bare_client.py URL FILE [IN_FLIGHT]

Reads the CSV, posts each row with so many calls in flight, keeps the answers, writes them to one JSON file at the end,
and prints rows a second. No retries, no checks, no checkpoints.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import aiohttp


async def main(url: str, path: Path, in_flight: int) -> float:
    """Enrich the file and return rows a second."""
    results: dict[int, object] = {}
    with path.open(newline="") as file:
        rows = enumerate(csv.DictReader(file), start=1)
        connector = aiohttp.TCPConnector(limit=in_flight)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def worker() -> None:
                for number, row in rows:
                    async with session.post(url, json=row, headers={"Idempotency-Key": f"bare-{number}"}) as response:
                        response.raise_for_status()
                        results[number] = await response.json()

            started = time.perf_counter()
            await asyncio.gather(*(worker() for _ in range(in_flight)))
            with tempfile.TemporaryFile("w") as out:
                json.dump([results[number] for number in sorted(results)], out)
    return len(results) / (time.perf_counter() - started)


if __name__ == "__main__":
    calls_in_flight = int(sys.argv[3]) if len(sys.argv) > 3 else 64
    print(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), calls_in_flight)))
