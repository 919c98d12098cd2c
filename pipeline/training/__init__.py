"""The building blocks of the networks of all tasks: cells, layers, the training loop, drawing from predictions."""
