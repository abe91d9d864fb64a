"""What is known of a batch, from every source."""
