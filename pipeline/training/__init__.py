"""The training loop and its parts, and what several tasks need to predict, generate and measure with a network."""
