"""Compute a trained network in NumPy from its description, graph.json, and its weights. Nothing here imports Keras."""
