"""From a trained model to a champion: the gate, the registry, decisions, retraining."""
