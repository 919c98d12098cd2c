"""The network of cosine_windows, trained in NumPy: forward pass, back-propagation through time, clipping, update.

Keras holds its weights and serves it afterwards. Tests compare both.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import CosineWindowsNetwork
from pipeline.encoding.records import Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.cells import layer_of
from pipeline.reference import cells, clipping
from pipeline.reference.cells import Floats
from pipeline.reference.network import half_squared
from pipeline.tasks.textbook.cosine_windows.prepare import after
from pipeline.training.compiled import Arrays, Compiled
from pipeline.training.fit import Batch, load, optimizer
from pipeline.training.from_scratch import FromScratch

DTYPE = "float64"


def build(network: CosineWindowsNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: windows float64 [batch, time, 1] → the value after each step float64 [batch, time, 1].

    Only the last step counts. A simple_rnn has the textbook's sigmoid. Weights are drawn uniformly; biases start at
    Keras' values.
    """
    uniform = {"minval": 0.0 if network.positive_start else -1.0, "maxval": 1.0}
    options: dict[str, Any] = {"activation": "sigmoid"} if network.cell == "simple_rnn" else {}
    x = start = keras.Input((None, 1), batch_size=batch, dtype=DTYPE, name="windows")
    for _ in range(network.layers):
        x = layer_of(network)(
            network.units,
            return_sequences=True,
            dtype=DTYPE,
            kernel_initializer=keras.initializers.RandomUniform(**uniform),
            recurrent_initializer=keras.initializers.RandomUniform(**uniform),
            **options,
        )(x)
    last = keras.layers.Dense(1, dtype=DTYPE, kernel_initializer=keras.initializers.RandomUniform(**uniform))
    return keras.Model(start, last(x), name="cosine_windows")


def loss(network: CosineWindowsNetwork) -> Any:
    """Return half the squared error, with its gradient."""
    return half_squared


def compiled(network: CosineWindowsNetwork, model: Any) -> Compiled:
    """Return the model, to be trained in NumPy."""
    return ByHand(model, network)


class ByHand(FromScratch):
    """Trains by plain gradient descent with clipped gradients, and predicts with the same NumPy code."""

    def __init__(self, model: Any, row: CosineWindowsNetwork) -> None:
        cell = cells.SimpleRNN("sigmoid") if row.cell == "simple_rnn" else None
        super().__init__(model, row, half_squared, optimizer(row), cell=cell, truncate=row.truncate)
        self.row = row

    def _update(self, current: Sequence[Floats], gradients: Sequence[Floats]) -> None:
        if self.row.clip_value is not None:
            gradients = clipping.by_value(gradients, self.row.clip_value)
        if self.row.clip_norm is not None:
            gradients = clipping.by_norm(gradients, self.row.clip_norm)
        rate = float(self.optimizer.learning_rate)
        load(self.model, [w - rate * d for w, d in zip(current, gradients, strict=True)])

    def predict(self, x: Arrays) -> NDArray[np.float64]:
        """Return float64 [batch, time, 1] for the windows x, float64 [batch, time, 1]."""
        return self.reference.predict([np.asarray(v) for v in self.model.trainable_variables], np.asarray(x))


class Windows:
    """The windows of some splits in order, `batch` at a time; only the last step has a target."""

    def __init__(self, network: CosineWindowsNetwork, encoded: Encoded, splits: tuple[str, ...]) -> None:
        self.batch = network.batch_size
        self.x = np.concatenate([encoded.arrays[f"{split}_x"] for split in splits])[..., None]
        self.y = np.full_like(self.x, np.nan)
        self.y[:, -1, 0] = np.concatenate([encoded.arrays[f"{split}_y"] for split in splits])
        self.steps = -(-len(self.x) // self.batch)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (windows, targets), float64 [batch, window, 1] each."""
        for i in range(0, len(self.x), self.batch):
            yield self.x[i : i + self.batch], self.y[i : i + self.batch], None


def feed(network: CosineWindowsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Windows:
    """Return the training batches of the splits."""
    return Windows(network, encoded, splits)


def predictor(model: Compiled, network: CosineWindowsNetwork, encoded: Encoded) -> Predictor:
    """Return the function that forecasts the windows of a split."""

    def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float64]:
        """Return float64 [windows of the split]: the value after each window."""
        return after(model, encoded.arrays[f"{split}_x"])

    return Predictor(predict)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor, compiled=compiled)
