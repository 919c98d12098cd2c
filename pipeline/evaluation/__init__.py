"""What a task is, and how its results are judged: metrics, scoring, paired tests."""
