"""The Temporal server: ours or another, and how it is asked."""
