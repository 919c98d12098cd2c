"""The network of sentiment: bags of word features, a recurrent layer, maximum and mean over time, one softmax."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import SentimentNetwork
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.layers.ensemble import ensembled, mean
from pipeline.layers.pooling import BagEmbedding, MaxMeanPool, StepPool
from pipeline.tasks.sentiment.prepare import UNKNOWN_ID, known_counts, probabilities
from pipeline.training import buckets
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch

EMBEDDING_SD = 0.1


@ensembled(mean)
def build(network: SentimentNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: ids int32 [batch, words, features] → probabilities float32 [batch, classes]."""
    ids = keras.Input((None, None), batch_size=batch, dtype="int32", name="ids")
    x = BagEmbedding(
        encoder["size"], network.embedding, scale=True, stddev=EMBEDDING_SD, kernel=network.kernel, name="embedding"
    )(ids)
    mean = MaxMeanPool(name="word_pool")(x)[:, network.embedding :]
    if network.spatial_dropout:
        x = keras.layers.SpatialDropout1D(network.spatial_dropout, name="input_dropout")(x)
    if network.pool_steps > 1:
        x = StepPool(network.pool_steps, name="step_pool")(x)
    x = recurrent(network, x, sequences=True)
    x = keras.layers.Concatenate(name="features")([MaxMeanPool(name="pool")(x), mean])
    out = keras.layers.Dense(len(encoder["label_names"]), activation="softmax", name="classes")(dropped(network, x))
    return keras.Model(ids, out, name="sentiment")


def start(model: Any, network: SentimentNetwork, encoded: Encoded, splits: Sequence[str], fold: int) -> None:
    """Put log-count ratios into the first columns of the embeddings, with the setting `log_ratios` as their factor.

    The network thus starts from a naive Bayes classifier, as NB-SVM weights its features (Wang and Manning 2012).
    """
    if network.log_ratios:
        table = model.get_layer("embedding").table.embeddings
        values = np.asarray(table).copy()
        ratios = log_count_ratios(encoded, splits, fold)[:, : network.embedding]
        values[:, : ratios.shape[1]] = network.log_ratios * ratios
        table.assign(values)


def log_count_ratios(encoded: Encoded, splits: Sequence[str], fold: int) -> NDArray[np.float32]:
    """Return float32 [vocabulary, classes − 1]: log-count ratios, with a column for each class but the first.

    A ratio is (1 + texts of the class with the feature) / (1 + other texts with it). Its log is 0 for features that
    were not fitted.
    """
    counts = known_counts(encoded, splits, fold)
    which = np.isin(encoded.arrays["split"][fold], [SPLITS.index(name) for name in splits])
    labels, texts = encoded.arrays["labels"][which], rows(encoded, which, counts)
    holds = np.zeros((len(encoded.encoder["label_names"]), len(counts)), np.int32)
    for label, text in zip(labels, texts, strict=True):
        holds[label, np.unique(text)] += 1
    ratios = np.log((holds[1:] + 1) / (holds.sum(axis=0) - holds[1:] + 1))
    return np.asarray(np.where(counts > 0, ratios, 0.0).T, np.float32)


class Texts:
    """The texts of some splits in batches of similar length, without features that are rarer there than `min_count`."""

    def __init__(self, network: SentimentNetwork, encoded: Encoded, splits: Sequence[str], fold: int) -> None:
        self.network = network
        self.counts = known_counts(encoded, splits, fold)
        which = np.isin(encoded.arrays["split"][fold], [SPLITS.index(name) for name in splits])
        self.texts = rows(encoded, which, self.counts)
        classes = len(encoded.encoder["label_names"])
        self.labels = np.eye(classes, dtype=np.float32)[encoded.arrays["labels"][which]]
        self.lengths = np.array([len(text) for text in self.texts])
        self.steps = -(-len(self.texts) // network.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (ids int32 [batch, words, features], one-hot labels float32 [batch, classes])."""
        for group in buckets.batches(self.lengths, self.network.batch_size, rng):
            ids = buckets.pad([self.texts[i] for i in group])
            if self.network.word_dropout or self.network.feature_dropout:
                ids = self._with_some_hidden(ids, rng)
            yield ids, self.labels[group], None

    def _with_some_hidden(self, ids: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
        present = ids.any(axis=-1)
        if self.network.word_dropout:
            ids = np.where(buckets.drop_rare(ids, self.counts, self.network.word_dropout, rng), 0, ids)
        if self.network.feature_dropout:
            ids = np.where(rng.random(ids.shape, np.float32) < self.network.feature_dropout, 0, ids)
        ids[..., 0] = np.where(present & ~ids.any(axis=-1), UNKNOWN_ID, ids[..., 0])
        return ids


def rows(encoded: Encoded, which: NDArray[np.bool_], counts: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """Return int32 [words, features] for each chosen text, with fitted features only.

    which: bool [texts]; counts: int32 [vocabulary], 0 for features that were not fitted.
    """
    features, lengths = encoded.arrays["features"], np.diff(encoded.arrays["offsets"])
    chosen = features[np.repeat(which, lengths)]  # a copy of the chosen texts, not of the whole data set
    chosen[counts[chosen] == 0] = 0
    chosen[~chosen.any(axis=1), 0] = UNKNOWN_ID
    return [chosen[end - n : end] for end, n in zip(np.cumsum(lengths[which]), lengths[which], strict=True)]


def loss(network: SentimentNetwork) -> Any:
    """Return the cross-entropy of probabilities."""
    return keras.losses.CategoricalCrossentropy(label_smoothing=network.label_smoothing)


def feed(network: SentimentNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Texts:
    """Return the training batches of the splits."""
    return Texts(network, encoded, splits, fold)


def predictor(model: Compiled, network: SentimentNetwork, encoded: Encoded) -> Predictor:
    """Return the function that predicts the texts of a split."""

    def predict(split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float32]:
        """Return float32 [texts of the split, classes]: probabilities."""
        counts = known_counts(encoded, fitted_on, fold)
        return probabilities(model, rows(encoded, encoded.arrays["split"][fold] == SPLITS.index(split), counts))

    return Predictor(predict)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor, start=start)
