"""Promote trained models to champions: the gate, the registry, decisions, retraining."""
