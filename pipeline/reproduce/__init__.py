"""Run all stages: a process that has imported everything and forks stages, and the runner of `make repro`."""
