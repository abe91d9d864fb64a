"""One command of batchctl to a file."""
