"""Define the records passed between stages, and encode raw data: vocabularies, text cleaning, features."""
