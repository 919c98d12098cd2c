"""Combine stacked recurrent layers, a dense layer at every step and a loss into a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.reference import through_time
from pipeline.reference.cells import Cell, Floats, Weights


class Gradients(NamedTuple):
    """The loss, and the gradients of the weights in the order of the weights."""

    loss: float
    d_weights: list[Floats]


@dataclass(frozen=True)
class Network:
    """A stack of recurrent layers with a dense layer on top. cells: one for each recurrent layer, the lowest first.

    All methods take the weights in the order of a Keras model's trainable variables: kernel, recurrent and bias of each
    layer, then the dense layer's kernel [units, outputs] and bias [outputs].
    """

    cells: Sequence[Cell]

    def predict(self, weights: Sequence[Floats], x: Floats) -> Floats:
        """Map x [batch, time, features] to outputs [batch, time, outputs]."""
        for cell, layer in zip(self.cells, self._layers(weights), strict=True):
            x = through_time.forward(cell, layer, x).outputs
        return x @ weights[-2] + weights[-1]

    def gradients(
        self, weights: Sequence[Floats], x: Floats, truth: Floats, loss: "Loss", truncate: int | None = None
    ) -> Gradients:
        """Run one forward and one backward pass. truth: [batch, time, outputs], NaN where the loss ignores a target."""
        layers, traces = self._layers(weights), []
        for cell, layer in zip(self.cells, layers, strict=True):
            unrolled = through_time.forward(cell, layer, x)
            x = unrolled.outputs
            traces.append(unrolled.traces)
        cost, d_out = loss(x @ weights[-2] + weights[-1], truth)
        d_dense = [np.einsum("bti,bto->io", x, d_out), d_out.sum(axis=(0, 1))]
        d_x, d_layers = d_out @ weights[-2].T, list[Weights]()
        for cell, layer, trace in reversed(list(zip(self.cells, layers, traces, strict=True))):
            d_x, d_layer = through_time.backward(cell, layer, trace, d_x, truncate)
            d_layers.insert(0, d_layer)
        return Gradients(cost, [gradient for layer in d_layers for gradient in layer] + d_dense)

    def _layers(self, weights: Sequence[Floats]) -> list[Weights]:
        return [Weights(*weights[3 * i : 3 * i + 3]) for i in range(len(self.cells))]


Loss = Callable[[Floats, Floats], tuple[float, Floats]]


def mean_squared(forecast: Floats, truth: Floats) -> tuple[float, Floats]:
    """Return the mean of e² over the targets that are not NaN, and its gradient with respect to the forecast."""
    error, count = _errors(forecast, truth)
    return float(np.sum(error**2)) / count, 2 * error / count


def mean_absolute(forecast: Floats, truth: Floats) -> tuple[float, Floats]:
    """Return the mean of |e| over the targets that are not NaN, and its gradient with respect to the forecast."""
    error, count = _errors(forecast, truth)
    return float(np.sum(np.abs(error))) / count, np.sign(error) / count


def half_squared(forecast: Floats, truth: Floats) -> tuple[float, Floats]:
    """Return the sum of e² / 2 over the targets that are not NaN, and its gradient with respect to the forecast, e."""
    error, _ = _errors(forecast, truth)
    return 0.5 * float(np.sum(error**2)), error


def _errors(forecast: Floats, truth: Floats) -> tuple[Floats, int]:
    """Return forecast - truth, 0 where truth is NaN, and the number of targets that are not NaN (at least 1)."""
    present = ~np.isnan(truth)
    return np.where(present, forecast - truth, 0.0), max(1, int(present.sum()))
