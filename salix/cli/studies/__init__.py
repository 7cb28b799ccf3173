"""Options of the studies, a file for each."""
