"""Effects: CSV pages, the enrichment client, the output folder and the manifest."""
