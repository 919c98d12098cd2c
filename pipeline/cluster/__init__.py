"""Ray, if it is installed: the connection to a cluster."""
