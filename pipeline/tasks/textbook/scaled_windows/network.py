"""The network of scaled_windows: a window, recurrent layers, an optional hidden layer, one output."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ScaledWindowsNetwork
from pipeline.encoding.records import Encoded
from pipeline.errors import DataError
from pipeline.evaluation.network import Network, Predictor, ServingForm
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.tasks.textbook.scaled_windows.prepare import bounds, targets, windows
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch


def build(network: ScaledWindowsNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: inputs float32 [batch, window, features] → forecasts float32 [batch, 1], in scaled units."""
    x = start = keras.Input((None, len(encoder["shift"])), batch_size=batch, name="inputs")
    x = dropped(network, recurrent(network, x, sequences=False))
    if network.hidden:
        x = keras.layers.Dense(network.hidden, activation="relu", name="hidden")(x)
    return keras.Model(start, keras.layers.Dense(1, name="forecast")(x), name="scaled_windows")


def loss(network: ScaledWindowsNetwork) -> Any:
    """Return the mean squared error."""
    return keras.losses.MeanSquaredError()


class Rows:
    """The training rows in order, or shuffled; for a stateful network, only as many as fill whole batches.

    Sample j of a stateful batch continues with the state of sample j of the batch before. That one began `batch_size`
    steps earlier and read only `window` of them. This flaw of the textbook is kept.
    """

    def __init__(self, network: ScaledWindowsNetwork, encoded: Encoded, splits: tuple[str, ...]) -> None:
        self.network, self.encoded = network, encoded
        start, end = bounds(encoded, "train")
        if network.stateful:
            end -= (end - start) % network.batch_size
        if start == end:
            raise DataError(
                f"batch_size {network.batch_size}: the training part has only {bounds(encoded, 'train')[1]} rows"
            )
        self.rows = np.arange(start, end)
        shift, spread = encoded.encoder["target"]
        self.truth = ((targets(encoded, "train") - shift) / spread).astype(np.float32)
        self.steps = -(-len(self.rows) // network.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (inputs float32 [batch, window, features], scaled targets float32 [batch, 1])."""
        order = rng.permutation(self.rows) if self.network.shuffle and not self.network.stateful else self.rows
        for i in range(0, len(order), self.network.batch_size):
            at = order[i : i + self.network.batch_size]
            yield windows(self.encoded, at), self.truth[at, None], None


def feed(network: ScaledWindowsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Rows:
    """Return the training batches, which are always those of the training part."""
    return Rows(network, encoded, splits)


def predictor(model: Compiled, network: ScaledWindowsNetwork, encoded: Encoded) -> Predictor:
    """Return the function that forecasts the rows of a split."""
    shift, spread = encoded.encoder["target"]

    def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float64]:
        """Return float64 [rows of the split], in the unit. The state is not reset before: that flaw is kept."""
        start, end = bounds(encoded, split)
        size = network.batch_size if network.stateful else 2_000
        # A stateful network accepts batches of one size only, so the last batch repeats its last row.
        at = [np.minimum(np.arange(i, i + size), end - 1) for i in range(start, end, size)]
        scaled = np.concatenate([model.predict(windows(encoded, rows))[:, 0] for rows in at])[: end - start]
        return np.asarray(scaled * np.float64(spread) + shift)

    return Predictor(predict)


def serving(row: ScaledWindowsNetwork, encoder: Mapping[str, Any]) -> ServingForm:
    """Serve every network as stateless: the state of the training is not stored."""
    return ServingForm(1, {"stateful": False})


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor, serving=serving)
