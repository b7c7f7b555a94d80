"""One module per stage: read tables, call falco_core in batches, write artifacts atomically."""
