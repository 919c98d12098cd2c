"""The chapters' text classifiers: what padding does to them, their sizes, and that they answer as they were tested."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import PaddedTextsData
from pipeline.config.schema.networks import PaddedTextsNetwork
from pipeline.encoding.records import Encoded, LabelledTexts, unpack
from pipeline.layers import keras
from pipeline.tasks.textbook.padded_texts.network import build, feed
from pipeline.tasks.textbook.padded_texts.prepare import encode, encode_texts, ids_of, padded, positions, probabilities
from pipeline.tasks.textbook.padded_texts.task import TASK
from pipeline.training import repeats
from pipeline.training.compiled import Compiled

IDS = np.array([[5, 3, 9, 2, 7]], np.int32)


def network(**changes: Any) -> PaddedTextsNetwork:
    small = {"dataset": "x", "task": "padded_texts", "units": 6, "embedding": 4, "batch_size": 8}
    return PaddedTextsNetwork.model_validate({**small, **changes})


def model_for(length: int | None, **changes: Any) -> Any:
    keras.utils.set_random_seed(1)
    return build(network(**changes), {"size": 12, "length": length})


def encoded_of(length: int | None) -> Encoded:
    texts = tuple(f"{'word ' * (i % 9)}{'good' if i % 2 else 'bad'} number{i}" for i in range(80))
    record = LabelledTexts(texts, np.arange(80, dtype=np.int32) % 2, ("negative", "positive"))
    row = PaddedTextsData(source="s", task="padded_texts", tokens="words", length=length)
    return encode(record, row, 0)


@pytest.mark.parametrize("cell", ["lstm", "gru", "simple_rnn"])
def test_pinned_flaw_padding_on_the_left_runs_through_the_cell(cell: str) -> None:
    model = model_for(40, cell=cell)
    answers = [float(model(np.pad(IDS, ((0, 0), (n, 0))))[0, 0]) for n in (0, 3, 35)]
    assert len({round(answer, 5) for answer in answers}) == 3


@pytest.mark.parametrize("options", [{}, {"layers": 2}, {"bidirectional": True, "layers": 2}])
def test_padding_on_the_right_never_reaches_a_state(options: dict[str, Any]) -> None:
    model = model_for(None, cell="lstm", dense=3, **options)
    answers = [float(model(np.pad(IDS, ((0, 0), (0, n))))[0, 0]) for n in (0, 3, 35)]
    np.testing.assert_allclose(answers, answers[0], atol=1e-6)


def test_a_fixed_length_cuts_the_beginning_and_pads_before_it() -> None:
    texts = [np.array([1, 2, 3, 4, 5], np.int32), np.array([6], np.int32)]
    assert padded(texts, 3).tolist() == [[3, 4, 5], [0, 0, 6]]
    assert padded(texts, None).tolist() == [[1, 2, 3, 4, 5, 0, 0, 0], [6, 0, 0, 0, 0, 0, 0, 0]]


CHAPTER = {"cell": "lstm", "embedding": 128, "units": 64, "recurrent_input_dropout": 0.2, "recurrent_dropout": 0.2}


def test_pinned_number_of_parameters_of_umich() -> None:
    model = build(network(**CHAPTER), {"size": 2002, "length": 40})
    assert model.count_params() == 2002 * 128 + 4 * 64 * (128 + 64 + 1) + 64 + 1


def test_dropout_is_where_the_chapter_has_it() -> None:
    model = build(network(**CHAPTER, spatial_dropout=0.2), {"size": 2002, "length": 40})
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "Embedding", "SpatialDropout1D", "LSTM", "Dense"]
    assert model.layers[2].rate == model.layers[3].dropout == model.layers[3].recurrent_dropout == 0.2


@pytest.mark.parametrize("length", [6, None])
def test_raw_texts_get_the_answers_that_were_evaluated(length: int | None) -> None:
    encoded = encoded_of(length)
    (member,) = repeats.train(TASK, network(learning_rate=0.02, epochs=2), encoded, seed=1, label="x")
    model = build(network(), encoded.encoder)
    for variable, value in zip(model.trainable_variables, member.weights, strict=True):
        variable.assign(value)
    texts = unpack(encoded.arrays, positions(encoded, "test"))
    p = probabilities(Compiled(model), encode_texts(texts, encoded.encoder), length)
    np.testing.assert_allclose(p, member.predictions["test"], atol=1e-6)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
    assert p[:, 1].std() > 1e-3


def test_what_serves_as_validation_is_never_trained_on() -> None:
    encoded = encoded_of(None)
    tests = {tuple(text) for text in ids_of(encoded, positions(encoded, "test"))}
    given = feed(network(), encoded, ("train", "validation"), 0)
    trained = [tuple(row[row > 0]) for x, _, _ in given.batches(np.random.default_rng(0)) for row in x]
    assert len(trained) == encoded.examples["train"] and not tests & set(trained)
