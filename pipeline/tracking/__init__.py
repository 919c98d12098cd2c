"""Record each training for MLflow, deliver the records, and trace results back to their origins."""
