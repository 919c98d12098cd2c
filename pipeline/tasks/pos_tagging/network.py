"""The network of pos_tagging: a row of features for each word, recurrent layers, one softmax for each word."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import PosTaggingNetwork
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.attention import AttentionDecoder, Places, RepeatAlong
from pipeline.layers.cells import dropped, layer_of, recurrent
from pipeline.layers.ensemble import ensembled, mean
from pipeline.layers.pooling import BagEmbedding
from pipeline.tasks.pos_tagging.prepare import SHOWN_LONGEST, SLOTS, known_counts, shown_sentences, tag_ids
from pipeline.training import buckets
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch

EMBEDDING_SD = 0.15
PLACES = 32  # width of the encoding of a step's place in the sentence
DECODER = "decoder"
SLOT_IDS = np.arange(1, len(SLOTS) + 1, dtype=np.int32)  # each slot's "unknown"


@ensembled(mean)
def build(network: PosTaggingNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: ids int32 [batch, words, slots] → logits float32 [batch, words, tags]."""
    ids = keras.Input((None, len(SLOTS)), batch_size=batch, dtype="int32", name="ids")
    x = BagEmbedding(
        encoder["size"], network.embedding, scale=False, stddev=EMBEDDING_SD, kernel=network.kernel, name="embedding"
    )(ids)
    if network.spatial_dropout:
        x = keras.layers.SpatialDropout1D(network.spatial_dropout, name="input_dropout")(x)
    x = TOPOLOGIES[network.topology](network, x)
    return keras.Model(ids, keras.layers.Dense(len(encoder["tags"]), name="tags")(x), name="pos_tagging")


def _per_word(network: PosTaggingNetwork, words: Any) -> Any:
    """Join each word with its context: [batch, words, features] → [batch, words, outputs + features]."""
    context = dropped(network, recurrent(network, words, sequences=True))
    return keras.layers.Concatenate(name="context_and_word")([context, words])


def _encoder_decoder(network: PosTaggingNetwork, words: Any) -> Any:
    """Encode the sentence as one vector, and decode it; each step gets the vector and its own place."""
    state = dropped(network, recurrent(network, words, sequences=False))
    steps = keras.layers.Concatenate(name="steps")([RepeatAlong()([state, words]), Places(PLACES)(words)])
    decoder = layer_of(network)(network.units, return_sequences=True, name="decoder")
    return dropped(network, decoder(steps))


def _attention(network: PosTaggingNetwork, words: Any) -> Any:
    """Decode with attention to the encoder's outputs at each step; both sides get the places."""
    places = Places(PLACES)(words)
    outputs = dropped(network, recurrent(network, words, sequences=True))
    decoder = AttentionDecoder(network.cell, network.units, outputs.shape[-1] + PLACES, name=DECODER)
    return dropped(network, decoder([outputs, places]))


TOPOLOGIES = {"per_word": _per_word, "encoder_decoder": _encoder_decoder, "attention": _attention}


class Sentences:
    """The sentences of some splits in batches of similar length; padding has weight 0."""

    def __init__(self, network: PosTaggingNetwork, encoded: Encoded, splits: Sequence[str]) -> None:
        self.network = network
        self.one_hot = np.eye(len(encoded.encoder["tags"]), dtype=np.float32)
        self.counts = known_counts(encoded, splits)
        which = np.isin(encoded.arrays["split"][0], [SPLITS.index(name) for name in splits])
        self.sentences = rows(encoded, which, self.counts)
        offsets = encoded.arrays["offsets"]
        self.tags = [encoded.arrays["tags"][offsets[i] : offsets[i + 1]] for i in np.flatnonzero(which)]
        self.lengths = np.array([len(sentence) for sentence in self.sentences])
        self.steps = -(-len(self.sentences) // network.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (ids int32 [batch, words, slots], one-hot tags float32 [batch, words, tags], weights)."""
        for group in buckets.batches(self.lengths, self.network.batch_size, rng):
            ids = buckets.pad([self.sentences[i] for i in group])
            rarity = np.where(np.arange(len(SLOTS)) == 0, self.network.word_dropout, self.network.affix_dropout)
            hidden = buckets.drop_rare(ids, self.counts, rarity, rng) & (ids > 0)
            tags = buckets.pad([self.tags[i] for i in group], fill=-1)
            yield np.where(hidden, SLOT_IDS, ids), self.one_hot[tags], (tags >= 0).astype(np.float32)


def rows(encoded: Encoded, which: NDArray[np.bool_], counts: NDArray[np.int32]) -> list[NDArray[np.int32]]:
    """Return int32 [words, slots] for each chosen sentence; a feature that was not fitted is its slot's unknown.

    which: bool [sentences]; counts: int32 [vocabulary], 0 for features that were not fitted.
    """
    features, offsets = encoded.arrays["features"], encoded.arrays["offsets"]
    features = np.where((counts[features] == 0) & (features > 0), SLOT_IDS, features)
    return [features[offsets[i] : offsets[i + 1]] for i in np.flatnonzero(which)]


def loss(network: PosTaggingNetwork) -> Any:
    """Return the cross-entropy of logits, as the weighted mean over words."""
    # With Keras' default reduction, padding would count in the denominator.
    return keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=network.label_smoothing, reduction="mean_with_sample_weight"
    )


def feed(network: PosTaggingNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Sentences:
    """Return the training batches of the splits."""
    return Sentences(network, encoded, splits)


class Tagger:
    """Tags the words of a split; with attention, also gives its weights in a few test sentences."""

    def __init__(self, model: Compiled, network: PosTaggingNetwork, encoded: Encoded) -> None:
        self.model, self.network, self.encoded = model, network, encoded

    def predict(self, split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.int16]:
        """Return int16 [words of the split]: tag ids in reading order."""
        counts = known_counts(self.encoded, fitted_on)
        which = self.encoded.arrays["split"][0] == SPLITS.index(split)
        return np.concatenate(tag_ids(self.model, rows(self.encoded, which, counts)))

    def further_arrays(self, fitted_on: tuple[str, ...], fold: int) -> dict[str, NDArray[np.float32]]:
        """Return `attention` float32 [sentences, steps, places] of shown_sentences(), 0 after the end of a sentence."""
        if self.network.topology != "attention":
            return {}
        which = np.isin(np.arange(self.encoded.arrays["split"].shape[1]), shown_sentences(self.encoded))
        sentences = rows(self.encoded, which, known_counts(self.encoded, fitted_on))
        by_sentence = [attention(self.model.model, ids) for ids in sentences]
        out = np.zeros((len(by_sentence), SHOWN_LONGEST, SHOWN_LONGEST), np.float32)
        for target, weights in zip(out, by_sentence, strict=True):
            target[: len(weights), : len(weights)] = weights
        return {"attention": out}


def attention(model: Any, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return float32 [steps, words]: the weight of each word at each step of the decoder. ids: int32 [words, slots]."""
    decoder = model.get_layer(DECODER)
    outputs, own, decoded = keras.Model(model.input, [*decoder.input, decoder.output])(ids[None])
    return np.asarray(decoder.alignment([outputs, own], decoded)[0])


def predictor(model: Compiled, network: PosTaggingNetwork, encoded: Encoded) -> Predictor:
    """Return the predictions of Tagger and its attention."""
    reader = Tagger(model, network, encoded)
    return Predictor(reader.predict, reader.further_arrays)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor)
