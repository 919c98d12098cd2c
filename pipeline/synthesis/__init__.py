"""Known processes that synthetic data are drawn from, and what the best possible predictor says of each example."""
