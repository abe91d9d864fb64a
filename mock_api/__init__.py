"""A stand-alone mock of the enrichment API, with faults on demand."""
