"""The network of padded_texts: embedding, recurrent layers, the last state, one sigmoid.

Texts of one fixed length are padded on the left, and the cell reads the padding. Texts of free length come in batches
of similar length, padded on the right with a mask, so that no state sees padding, as with packed sequences.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import PaddedTextsNetwork
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.tasks.textbook.padded_texts.prepare import ids_of, padded, positions, probabilities
from pipeline.training import buckets
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch


def build(network: PaddedTextsNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: ids int32 [batch, words] → probability of the second class float32 [batch, 1]."""
    ids = keras.Input((None,), batch_size=batch, dtype="int32", name="ids")
    masked = encoder["length"] is None
    x = keras.layers.Embedding(encoder["size"], network.embedding, mask_zero=masked, name="embedding")(ids)
    if network.spatial_dropout:
        x = keras.layers.SpatialDropout1D(network.spatial_dropout, name="spatial_dropout")(x)
    x = dropped(network, recurrent(network, x, sequences=False, gate_dropout=network.recurrent_input_dropout))
    if network.dense:
        x = keras.layers.Dense(network.dense, activation="relu", name="dense")(x)
    return keras.Model(ids, keras.layers.Dense(1, activation="sigmoid", name="positive")(x), name="padded_texts")


class Texts:
    """The texts of some splits in random order; texts without a fixed length in batches of similar length."""

    def __init__(self, network: PaddedTextsNetwork, encoded: Encoded, splits: Sequence[str]) -> None:
        # Not positions(), which returns the test texts for validation if there is none: they are never trained on.
        which = np.isin(encoded.arrays["split"][0], [SPLITS.index(name) for name in splits])
        self.batch, self.length = network.batch_size, encoded.encoder["length"]
        self.texts = ids_of(encoded, np.flatnonzero(which))
        self.labels = encoded.arrays["labels"][which].astype(np.float32)[:, None]
        self.steps = -(-len(self.texts) // self.batch)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (ids int32 [batch, words], labels float32 [batch, 1])."""
        for group in self._groups(rng):
            yield padded([self.texts[i] for i in group], self.length), self.labels[group], None

    def _groups(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        if self.length is None:
            return buckets.batches(np.array([len(text) for text in self.texts]), self.batch, rng)
        order = rng.permutation(len(self.texts))
        return [order[i : i + self.batch] for i in range(0, len(order), self.batch)]


def feed(network: PaddedTextsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Texts:
    """Return the training batches of the splits."""
    return Texts(network, encoded, splits)


def loss(network: PaddedTextsNetwork) -> Any:
    """Return the binary cross-entropy of probabilities."""
    return keras.losses.BinaryCrossentropy()


def predictor(model: Compiled, network: PaddedTextsNetwork, encoded: Encoded) -> Predictor:
    """Return the function that classifies the texts of a split."""

    def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float32]:
        """Return float32 [texts of the split, 2]: probabilities."""
        return probabilities(model, ids_of(encoded, positions(encoded, split)), encoded.encoder["length"])

    return Predictor(predict)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor)
