"""The enrichment client."""
