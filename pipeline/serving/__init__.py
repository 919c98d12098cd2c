"""A stored model answers raw input."""
