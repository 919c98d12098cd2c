"""The textbook's padded texts."""
