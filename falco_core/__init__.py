"""falco_core: the pure library (no Prefect, no DVC, no command line)."""
