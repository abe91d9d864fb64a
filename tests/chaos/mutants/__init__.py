"""Does the proof see what it should? The product is broken on purpose, in a copy, and the runner has to find it."""
