"""What the worker processes of a service share of each API: its limits, and what is known of its being down."""
