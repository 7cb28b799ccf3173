"""From stored rows to numbers: summaries, differences, stability, subsets and series."""
