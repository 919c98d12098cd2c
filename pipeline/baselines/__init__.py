"""Baselines that are more than a line of a task: n-gram models, linear models of texts and of series."""
