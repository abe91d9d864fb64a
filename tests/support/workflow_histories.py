"""What Temporal keeps of a batch, and whether a text stands in it."""

from __future__ import annotations

from temporalio.client import Client, WorkflowHistory


async def histories(address: str, workflow_id: str, run_ids: list[str]) -> list[WorkflowHistory]:
    client = await Client.connect(address)
    return [await client.get_workflow_handle(workflow_id, run_id=each).fetch_history() for each in run_ids]


def holds(history: WorkflowHistory, text: str) -> bool:
    """Tell whether `text` stands anywhere in a history. In `to_json` it would not: payloads are base64 there."""
    return any(text.encode() in event.SerializeToString() for event in history.events)
