"""Finished results, read offline."""
