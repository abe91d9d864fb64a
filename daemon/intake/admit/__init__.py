"""Whether a file becomes a batch, and which."""
