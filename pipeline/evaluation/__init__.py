"""The interface of a task, and how its results are judged: metrics, scoring, paired tests."""
