"""Character windows of the textbook: predict characters of a text that is also the training text."""
