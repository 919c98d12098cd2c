"""What a person sets: params.yaml, read, checked and explained."""
