"""How rows are called: posted as they are, or as a configuration describes it."""
