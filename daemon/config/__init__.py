"""How the service is configured: `batchd.toml`, `BATCH_*` variables, secrets."""
