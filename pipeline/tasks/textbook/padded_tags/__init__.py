"""Padded sentences of the textbook: predict a tag for each cell, padding included."""
