"""The running program: entry points, settings, the Temporal connection, the inbox, the operator's commands."""
