"""The textbook's character windows."""
