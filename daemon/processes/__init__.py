"""Processes that are started, watched and found."""
