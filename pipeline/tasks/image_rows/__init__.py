"""Images read row by row: one class for each image."""
