"""Tab completion: the scripts for the shells, and the candidates that they ask for."""
