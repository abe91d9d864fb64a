"""The kinds of faults; each takes the faults of a segment and injects them into one site."""
