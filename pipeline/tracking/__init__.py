"""MLflow: what is recorded of each training, when it is sent, and how a result is traced back to its origin."""
