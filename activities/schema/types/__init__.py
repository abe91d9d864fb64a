"""How the text of a cell becomes a value, type by type."""
