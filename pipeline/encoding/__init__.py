"""What raw data is made into: the records that sources and stages hand on, vocabularies, cleaned texts, features."""
