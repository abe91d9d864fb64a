"""The completion manifest."""
