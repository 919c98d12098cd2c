"""Images read row by row: classify images as sequences."""
