"""The training loop and its parts, and how trained networks are read and continued."""
