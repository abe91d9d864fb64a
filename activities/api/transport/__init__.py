"""How calls reach the API: connections and their pool."""
