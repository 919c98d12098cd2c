"""Windows of the textbook's cosine, learned with hand-written gradients."""
