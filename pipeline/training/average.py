"""The weights of a network as arrays, and their exponential average over the steps of a training."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.layers import compiles

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

    def __init__(self, model: Any, momentum: float) -> None:
        self.model, self.momentum, self.steps = model, momentum, 0
        self.values: Weights = trainable(model) if momentum else []
        self.kept: Weights = []

    def update(self) -> None:
        if not self.momentum:
            return
        self.steps += 1
        share = np.float32(1.0 - min(self.momentum, (1 + self.steps) / (10 + self.steps)))
        for value, variable in zip(self.values, self.model.trainable_variables, strict=True):
            _move(value, _read(variable), share)

    def __enter__(self) -> None:
        if self.momentum:
            self.kept = trainable(self.model)
            load(self.model, self.values)

    def __exit__(self, *_: object) -> None:
        if self.momentum:
            load(self.model, self.kept)

    def assign(self, values: Weights) -> None:
        """Replace the average."""
        self.values = [value.copy() for value in values] if self.momentum else []


def _read(variable: Any) -> NDArray[np.floating[Any]]:
    """Return the weights of a variable, without a copy if a processor has them: drop them before the next step."""
    return np.asarray(memoryview(variable.value.read_value()) if compiles() else variable)


def _move(value: NDArray[Any], weight: NDArray[Any], share: np.float32) -> None:
    """Move an average by a share of its distance to the weight. The bytes are the same with a compiler and without."""
    if compiles() and value.dtype == np.float32:
        from pipeline.layers.loops import halves

        halves.move(value, weight, share)
    else:
        value += share * (weight - value)
