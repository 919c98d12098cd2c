"""Returns: the next day's return of daily prices."""
