"""A recurrent layer over the window, one sigmoid."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import TurningNetwork
from pipeline.encoding.records import Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch


def build(row: TurningNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """windows float32 [batch, window, 1] → probability float32 [batch, 1]."""
    windows = keras.Input((encoder["window"], 1), batch_size=batch, name="windows")
    x = dropped(row, recurrent(row, windows, sequences=False))
    return keras.Model(windows, keras.layers.Dense(1, activation="sigmoid", name="up")(x), name="turning")


class Windows:
    """The training windows in random order."""

    def __init__(self, row: TurningNetwork, encoded: Encoded, splits: tuple[str, ...]) -> None:
        self.x = np.concatenate([encoded.arrays[f"{split}_x"] for split in splits])[..., None]
        self.y = np.concatenate([encoded.arrays[f"{split}_y"] for split in splits]).astype(np.float32)[:, None]
        self.batch, self.steps = row.batch_size, -(-len(self.x) // row.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        order = rng.permutation(len(self.x))
        for i in range(0, len(order), self.batch):
            at = order[i : i + self.batch]
            yield self.x[at], self.y[at], None


def feed(row: TurningNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Windows:
    return Windows(row, encoded, splits)


def loss(row: TurningNetwork) -> Any:
    return keras.losses.BinaryCrossentropy()


def predictor(model: Compiled, row: TurningNetwork, encoded: Encoded) -> Predictor:
    def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float32]:
        """float32 [windows of the split]: the probability that the series goes up."""
        return np.asarray(model.predict(encoded.arrays[f"{split}_x"][..., None])[:, 0])

    return Predictor(predict)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor)
