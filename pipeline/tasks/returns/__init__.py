"""Returns: forecast the next day's return from daily prices."""
