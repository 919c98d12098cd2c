"""Published files: fetched, resumed, verified, and probed for changes."""
