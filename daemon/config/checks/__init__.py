"""What can be wrong with a configuration beyond the type of one value."""
