"""Scaled windows of the textbook: forecast the level of a series."""
