"""What `try` does: the first rows of a file as requests, and as the API answers them. Nothing here prints."""
