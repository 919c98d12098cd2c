"""Sentiment: classify texts."""
