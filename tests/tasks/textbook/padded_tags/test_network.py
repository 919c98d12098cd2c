"""The chapter's network: its layers as printed, and what its loss leaves out."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import PaddedTagsData
from pipeline.config.schema.networks import PaddedTagsNetwork
from pipeline.encoding.records import Encoded, TaggedSentences
from pipeline.layers import keras
from pipeline.layers.cells import CELLS
from pipeline.tasks.textbook.padded_tags.network import build, feed, loss
from pipeline.tasks.textbook.padded_tags.prepare import encode

ENCODER = {"length": 250, "ids": {str(i): i + 2 for i in range(5_000)}, "tags": [str(i) for i in range(45)]}


def network(**options: Any) -> PaddedTagsNetwork:
    printed = {"units": 64, "recurrent_input_dropout": 0.2, "spatial_dropout": 0.2, "recurrent_dropout": 0.2}
    return PaddedTagsNetwork(dataset="made-up", task="padded_tags", **{**printed, **options})


def test_pinned_layers() -> None:
    model = build(network(), ENCODER)
    names = [type(layer).__name__ for layer in model.layers]
    assert names == ["InputLayer", "Embedding", "SpatialDropout1D", "GRU", "RepeatVector", "GRU", "Dense"]
    _, embedding, spatial, encoder, repeat, decoder, dense = model.layers
    assert (embedding.input_dim, embedding.output_dim, embedding.mask_zero) == (5_002, 128, False)
    assert spatial.rate == encoder.dropout == encoder.recurrent_dropout == 0.2
    assert decoder.dropout == decoder.recurrent_dropout == 0.0
    assert (encoder.units, decoder.units, repeat.n) == (64, 64, 250)
    assert decoder.return_sequences and not encoder.return_sequences
    assert model.output_shape == (None, 250, 46) and dense.activation is keras.activations.softmax


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_shapes(cell: str, bidirectional: bool) -> None:
    small = {**ENCODER, "length": 7}
    model = build(network(cell=cell, bidirectional=bidirectional, units=4, layers=2), small)
    out = np.asarray(model(np.ones((2, 7), np.int32)))
    assert out.shape == (2, 7, 46)
    np.testing.assert_allclose(out.sum(axis=-1), 1, atol=1e-5)


def test_pinned_flaw_the_decoder_knows_no_word_but_through_one_vector() -> None:
    model = build(network(units=4), {**ENCODER, "length": 6})
    ids = np.arange(2, 8, dtype=np.int32)[None]
    before = np.asarray(model(ids))
    ids[0, -1] = 99  # the last word, which the first tag has nothing to do with
    assert (np.abs(np.asarray(model(ids)) - before).max(axis=-1) > 1e-7).all()


def data() -> Encoded:
    words = tuple(tuple("abc"[: i % 3 + 1]) for i in range(40))
    row = PaddedTagsData(source="s", task="padded_tags", length=5)
    return encode(TaggedSentences(words, words, tuple(str(i) for i in range(40))), row, 0)


def test_pinned_flaw_padding_weighs_nothing_in_the_loss() -> None:
    encoded = data()
    given = feed(network(), encoded, ("train",), 0)
    batches = list(given.batches(np.random.default_rng(0)))
    assert given.steps == len(batches) == 1
    words, targets, weights = batches[0]
    assert weights is None and targets.shape == (32, 5, 4)
    np.testing.assert_array_equal(targets.sum(axis=-1), words > 0)
    uniform = np.full(targets.shape, 0.25, np.float32)
    expected = np.log(4) * np.mean(words > 0)  # the mean is over all cells
    assert float(loss(network())(targets, uniform)) == pytest.approx(expected, rel=1e-5)
    assert not np.array_equal(words, next(given.batches(np.random.default_rng(1)))[0]), "in random order"
