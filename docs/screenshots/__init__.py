"""Pictures of the real thing for the documentation: `make screenshots`."""
