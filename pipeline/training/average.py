"""The weights of a network as arrays, and their exponential average over the steps of a training."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.training.compiled import ON_TENSORFLOW, Compiled

Weights = list[NDArray[np.floating[Any]]]


def trainable(model: Any) -> Weights:
    """Copy the trainable weights, that is, without states and dropout seeds."""
    return [np.asarray(v).copy() for v in model.trainable_variables]


def load(model: Any, weights: Weights) -> None:
    """Assign `weights`, from `trainable`, to a model of the same shape."""
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)


class Average:
    """The exponential average of the weights over the steps; while entered, the model holds it.

    The momentum grows with the steps, so that the first weights count little in a short training. Keras' own average
    (`use_ema`) has one momentum for all steps.
    """

    def __init__(self, compiled: Compiled, momentum: float) -> None:
        self.model, self.momentum, self.steps = compiled.model, momentum, 0
        self.values: list[Any] = []  # variables in the graph of TensorFlow, arrays on other back ends
        self.kept: Weights = []
        self._move: Callable[[float], object] = self._move_arrays
        if momentum and ON_TENSORFLOW:
            compiled.average = compiled.average or _traced_average(self.model)
            self.values, self._move = compiled.average
            for value, variable in zip(self.values, self.model.trainable_variables, strict=True):
                value.assign(variable.value)
        elif momentum:
            self.values = trainable(self.model)

    def update(self) -> None:
        if self.momentum:
            self.steps += 1
            self._move(1.0 - min(self.momentum, (1 + self.steps) / (10 + self.steps)))

    def _move_arrays(self, share: float) -> None:
        for value, variable in zip(self.values, self.model.trainable_variables, strict=True):
            value += share * (np.asarray(variable) - value)

    def __enter__(self) -> None:
        if self.momentum:
            self.kept = trainable(self.model)
            load(self.model, [np.asarray(value) for value in self.values])

    def __exit__(self, *_: object) -> None:
        if self.momentum:
            load(self.model, self.kept)

    def assign(self, values: Weights) -> None:
        """Replace the average."""
        if self.momentum and ON_TENSORFLOW:
            for variable, value in zip(self.values, values, strict=True):
                variable.assign(value)
        elif self.momentum:
            self.values = list(values)


def _traced_average(model: Any) -> tuple[list[Any], Callable[[float], object]]:
    """A variable for each trained weight, and the graph that moves them by a share of their distance to the weights.

    No weight is copied to NumPy; the bytes are those of `_move_arrays`.
    """
    import tensorflow as tf

    weights = [variable.value for variable in model.trainable_variables]
    values = [tf.Variable(weight) for weight in weights]

    def move(share: Any) -> None:
        for value, weight in zip(values, weights, strict=True):
            value.assign_add(share * (weight - value))

    return values, tf.function(move, input_signature=[tf.TensorSpec([], tf.float32)], autograph=False)
