"""What `batchctl chaos` does: an installation of its own, everything of it killed in turn, and what came of it."""
