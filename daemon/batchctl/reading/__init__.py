"""How a file is read, before it is a batch: its dialect, and a schema for it."""
