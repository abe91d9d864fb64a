"""What outlives Temporal's memory of a batch."""
