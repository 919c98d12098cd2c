"""The textbook's cosine, learned by hand-written gradients."""
