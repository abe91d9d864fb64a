"""How a batch ended, in one sentence for people who look at a terminal."""

from __future__ import annotations

from datetime import timedelta

from activities.registry.receipts import Receipt
from activities.registry.timestamps import moment_of
from workflows.requests import FileSource


def ending_sentence(request: FileSource, receipt: Receipt) -> str:
    """Return name, outcome, rows by outcome, seconds, rows a second, and where the result is, or why there is none."""
    retry = f" (retry, generation {request.batch.generation})" if request.batch.generation > 1 else ""
    outcomes = ", ".join(f"{rows:,} {outcome}" for outcome, rows in request.counts.outcomes().items())
    parts = [f"{request.counts.records:,} rows{'' if retry else _speed(request, receipt)}: {outcomes}"]
    parts += [f"result in {receipt.output_dir}"] if request.manifest and receipt.output_dir else []
    if request.outcome != "completed":
        parts += [request.reason] if request.reason else []
        parts += [f"what to do: {receipt.inbox}/failed/{receipt.id}/REASON.txt"] if receipt.inbox and not retry else []
    return f"{request.batch.source.name}{retry} {request.outcome}: {'; '.join(parts)}"


def _speed(request: FileSource, receipt: Receipt) -> str:
    began, ended = moment_of(receipt.started_at), moment_of(receipt.finished_at)
    if not began or not ended:
        return ""
    took_s = max((ended - began) / timedelta(seconds=1), 0.001)
    return f" in {took_s:,.1f} s ({request.counts.records / took_s:,.0f} rows/s)"
