"""The tasks of the textbook's protocols."""
