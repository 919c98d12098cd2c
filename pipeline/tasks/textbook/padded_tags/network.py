"""The network of padded_tags: encode a sentence as one vector, repeat it for each step, and decode a tag at each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import PaddedTagsNetwork
from pipeline.encoding.records import Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.cells import layer_of
from pipeline.tasks.textbook.padded_tags.prepare import FIRST_ID, PAD, in_split, tag_ids
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch


def build(network: PaddedTagsNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: ids int32 [batch, length] → probabilities float32 [batch, length, tags + 1].

    Padding is read like a word.
    """
    ids = keras.Input((encoder["length"],), batch_size=batch, dtype="int32", name="ids")
    x = keras.layers.Embedding(len(encoder["ids"]) + FIRST_ID, network.embedding, name="embedding")(ids)
    if network.spatial_dropout:
        x = keras.layers.SpatialDropout1D(network.spatial_dropout, name="input_dropout")(x)
    rates = {"dropout": network.recurrent_input_dropout, "recurrent_dropout": network.recurrent_dropout}
    for _ in range(network.layers - 1):
        x = _recurrent(network, x, return_sequences=True, **rates)
    x = keras.layers.RepeatVector(encoder["length"], name="repeat")(_recurrent(network, x, **rates))
    x = _recurrent(network, x, return_sequences=True)
    out = keras.layers.Dense(len(encoder["tags"]) + 1, activation="softmax", name="tags")(x)
    return keras.Model(ids, out, name="padded_tags")


def _recurrent(network: PaddedTagsNetwork, x: Any, **options: Any) -> Any:
    layer = layer_of(network)(network.units, **options)
    return (keras.layers.Bidirectional(layer) if network.bidirectional else layer)(x)


class Sentences:
    """The padded sentences of some splits in random order; padding has the target 0 in every class."""

    def __init__(self, network: PaddedTagsNetwork, encoded: Encoded, splits: Sequence[str]) -> None:
        which = np.any([in_split(encoded, name) for name in splits], axis=0)
        self.words, self.tags = encoded.arrays["words"][which], encoded.arrays["tags"][which]
        self.one_hot = np.eye(len(encoded.encoder["tags"]) + 1, dtype=np.float32)
        self.batch, self.steps = network.batch_size, -(-len(self.words) // network.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (ids int32 [batch, length], targets float32 [batch, length, tags + 1])."""
        order = rng.permutation(len(self.words))
        for i in range(0, len(order), self.batch):
            words = self.words[order[i : i + self.batch]]
            targets = self.one_hot[self.tags[order[i : i + self.batch]]]
            yield words, targets * (words > PAD)[..., None], None


def loss(network: PaddedTagsNetwork) -> Any:
    """Return the cross-entropy of probabilities."""
    return keras.losses.CategoricalCrossentropy()


def feed(network: PaddedTagsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Sentences:
    """Return the training batches of the splits."""
    return Sentences(network, encoded, splits)


def predictor(model: Compiled, network: PaddedTagsNetwork, encoded: Encoded) -> Predictor:
    """Return the function that tags the sentences of a split."""

    def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.int16]:
        """Return int16 [sentences of the split, length]: the likeliest class of every cell, padding included."""
        return tag_ids(model, encoded.arrays["words"][in_split(encoded, split)])

    return Predictor(predict)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor)
