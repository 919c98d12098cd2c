"""The tasks under the textbook's protocols, with their flaws."""
