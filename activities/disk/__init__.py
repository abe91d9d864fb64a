"""The one way to touch a disk."""
