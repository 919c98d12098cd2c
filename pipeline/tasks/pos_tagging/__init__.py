"""Part-of-speech tagging: predict a tag for each word of a sentence."""
