"""The operator command: one file per command group."""
