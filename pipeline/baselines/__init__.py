"""Fit the larger baselines: n-gram models, PPMd, and linear models of texts and of series."""
