"""What a batch with a schema needs before its first page: the schema in its output folder."""

from __future__ import annotations

from hashlib import sha256

from activities.output.names import SCHEMA
from activities.output.output_folder import OutputFolder
from activities.workspace import Workspace
from workflows.errors import OutputRefused
from workflows.requests import PrepareBatch, PreparedBatch


def prepare_batch(workspace: Workspace, request: PrepareBatch) -> PreparedBatch:
    """Write the schema of a batch into its output folder. Idempotent. Blocking.

    Raises:
        OutputRefused: the folder is not ours; or of a retry, whose folder has its schema, it is gone.
        StorageFull: there is no room; nothing half written stays.
    """
    with workspace.output(request.batch) as folder:
        write_schema(folder, request.schema)
    return PreparedBatch()


def write_schema(folder: OutputFolder, schema: str) -> None:
    """Make `schema.json` hold `schema`; what else stands there is replaced."""
    if not schema:
        raise OutputRefused(f"{folder.path / SCHEMA} is gone, and with it the schema of the rows; put it back")
    stored = folder.write_once(SCHEMA, [schema.encode()])
    if stored.sha256 != sha256(schema.encode()).hexdigest():
        folder.remove(SCHEMA)
        folder.write_once(SCHEMA, [schema.encode()])
