"""Character language model: predict each next character of a running text."""
