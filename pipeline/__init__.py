"""A workflow pipeline with experiment tracking for recurrent neural networks."""

__version__ = "0.1.0"
