"""Forecasting: predict the values of a series some steps ahead."""
