"""The textbook's padded sentences."""
