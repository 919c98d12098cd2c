"""The textbook's scaled windows of a series."""
