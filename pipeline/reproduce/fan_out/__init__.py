"""`fan-out`: stages run in clones on this machine or a cluster, and the result is that of `dvc repro` here."""
