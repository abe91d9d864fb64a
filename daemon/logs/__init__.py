"""What the service says of itself, line by line: as text for people, as JSON for machines, from its first moment on."""
