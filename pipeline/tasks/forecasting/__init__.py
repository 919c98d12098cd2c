"""Forecasting: the values some steps ahead, from the series so far."""
