"""params.yaml: how it is read, checked and explained."""
