"""Padded texts of the textbook: classify texts, with repeats kept."""
