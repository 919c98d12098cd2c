"""Sentiment: one class for each text."""
