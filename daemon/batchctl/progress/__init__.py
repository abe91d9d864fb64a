"""Following batches until they end: `wait` and `watch`, and what these draw."""
