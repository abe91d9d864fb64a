"""Is it this row, or everybody? What is asked before a row gets its fallback or a batch waits."""
