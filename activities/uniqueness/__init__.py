"""Rows that repeat what only one row may have: found exactly, in bounded memory, whatever the size of the file."""
