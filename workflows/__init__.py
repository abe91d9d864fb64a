"""Decisions: deterministic Temporal workflows, the models that cross the boundary, the error tree."""
