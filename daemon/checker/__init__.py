"""The judge of a result that shares no code with what made it: the standard library alone."""
