"""Fit the larger baselines: n-gram models, and linear models of texts and of series."""
