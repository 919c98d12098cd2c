"""Studies: trials of an experiment with some settings changed, from several seeds, and what their results say."""
