"""The network of returns: a window of days, a recurrent layer, one output that starts at "no change"."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ReturnsNetwork
from pipeline.encoding.records import Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.layers.ensemble import ensembled, mean
from pipeline.tasks.returns.prepare import CLIP, days, scaled
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch


@ensembled(mean)
def build(network: ReturnsNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: inputs float32 [batch, window, features] → scaled returns float32 [batch, 1], at first zero."""
    x = start = keras.Input((None, len(encoder["scalings"][0]["mean"])), batch_size=batch, name="inputs")
    if network.input_dropout:
        x = keras.layers.Dropout(network.input_dropout, name="input_dropout")(x)
    x = dropped(network, recurrent(network, x, sequences=False))
    return keras.Model(start, keras.layers.Dense(1, kernel_initializer="zeros", name="forecast")(x), name="returns")


def loss(network: ReturnsNetwork) -> Any:
    """Return the mean squared error."""
    return keras.losses.MeanSquaredError()


class Windows:
    """The days of some splits in random order, each with the window before it."""

    def __init__(self, network: ReturnsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> None:
        self.batch = network.batch_size
        self.days = np.concatenate([days(encoded, split, fold) for split in splits])
        self.inputs = scaled(encoded.arrays["features"], encoded.encoder["scalings"][fold])
        spread = encoded.encoder["scalings"][fold]["spread"]
        self.truth = np.clip(encoded.arrays["returns"] / spread, -CLIP, CLIP).astype(np.float32)
        self.window = encoded.encoder["window"]
        self.steps = -(-len(self.days) // network.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (inputs float32 [batch, window, features], scaled returns float32 [batch, 1])."""
        order = rng.permutation(self.days)
        for i in range(0, len(order), self.batch):
            at = order[i : i + self.batch]
            yield self.inputs[_window(at, self.window)], self.truth[at, None], None


def _window(at: NDArray[np.int64], window: int) -> NDArray[np.int64]:
    """Return int64 [targets, window]: the days before each of `at`, int64 [targets]."""
    return at[:, None] + np.arange(-window, 0)


def feed(network: ReturnsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Windows:
    """Return the training batches of the splits."""
    return Windows(network, encoded, splits, fold)


def predictor(model: Compiled, network: ReturnsNetwork, encoded: Encoded) -> Predictor:
    """Return the function that forecasts the days of a split."""

    def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float64]:
        """Return float64 [targets of the split]: log returns."""
        scaling = encoded.encoder["scalings"][fold]
        inputs = scaled(encoded.arrays["features"], scaling)
        at = _window(days(encoded, split, fold), encoded.encoder["window"])
        out = [model.predict(inputs[at[i : i + 2_000]])[:, 0] for i in range(0, len(at), 2_000)]
        return np.asarray(np.concatenate(out) * np.float64(scaling["spread"]))

    return Predictor(predict)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor)
