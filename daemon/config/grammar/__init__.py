"""How the configuration is written: tables, durations, rates, patterns, the two languages, and lines."""
