"""Studies: the thin part that is each system's own."""
