"""What lies in the inbox, and what has come to rest."""
