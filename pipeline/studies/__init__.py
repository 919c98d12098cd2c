"""Studies: the same experiment with several settings and seeds, and what the results say."""
