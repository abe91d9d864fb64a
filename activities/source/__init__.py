"""The claimed CSV file."""
