"""How a running service is spoken to on its host: a Unix socket in the state folder, one request a connection."""
