"""Character language model: predicts each next character of a running text."""
