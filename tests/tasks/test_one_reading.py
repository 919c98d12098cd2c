"""A state that is carried from chunk to chunk gives what one reading gives; and losses with smoothed labels by hand."""

import math
from typing import Any

import numpy as np
import pytest

from pipeline.evaluation.network import Predictor
from pipeline.layers.cells import reset_states
from pipeline.tasks.char_lm import network as char_lm
from pipeline.tasks.char_lm import prepare as char_lm_prepare
from pipeline.tasks.forecasting import network as forecasting
from pipeline.tasks.forecasting.prepare import carried_steps, targets
from pipeline.tasks.textbook.scaled_windows import network as scaled_windows
from pipeline.tasks.textbook.scaled_windows.prepare import bounds, windows
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, trainable
from tests.tasks.case import CASES


def weighted(model: Any, scale: float) -> Any:
    """The model with random weights that are far from zero."""
    rng = np.random.default_rng(4)
    load(model, [rng.normal(0, scale, w.shape).astype(np.float32) for w in trainable(model)])
    return model


def test_bits_of_a_split_are_those_of_reading_the_whole_text_at_once() -> None:
    """An independent reading: a stateless network from the text's first character on, and -log2 of a softmax."""
    case = CASES["char_lm"]
    network, encoded = case.network_row(stateful=False, dropout=0.0), case.encoded()
    trained = Compiled(weighted(char_lm.build(network, encoded.encoder), 0.5))
    reader = char_lm.StreamReader(trained, network, encoded)
    parts = [encoded.arrays[name] for name in ("train", "validation", "test")]
    for split, read in (("validation", 2), ("test", 3), ("validation", 2)):
        found = reader.predict(split, ("train",), 0)
        text = np.concatenate(parts[:read]).astype(np.int32)
        logits = trained.predict(text[None, :-1])[0].astype(np.float64)
        p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        expected = -np.log2(p[np.arange(len(text) - 1), text[1:]])[-len(encoded.arrays[split]) :]
        assert len(found) == len(encoded.arrays[split]) and expected.std() > 0.3
        np.testing.assert_allclose(found, expected, atol=1e-3)  # a state forgets in the 500 characters of the warm-up


def test_a_split_is_read_from_a_zero_state_whatever_was_read_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(char_lm_prepare, "WARM_UP", 1)  # so that a state is not forgotten
    case = CASES["char_lm"]
    network, encoded = case.network_row(stateful=False, dropout=0.0), case.encoded()
    reader = char_lm.StreamReader(Compiled(weighted(char_lm.build(network, encoded.encoder), 0.5)), network, encoded)
    test, validation, again = (reader.predict(split, ("train",), 0) for split in ("test", "validation", "test"))
    assert np.array_equal(test, again) and len(test) == len(encoded.arrays["test"]) and validation.std() > 0.3


def test_a_stateful_forecast_is_that_of_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "CHUNK", 7)
    case = CASES["forecasting"]
    encoded, row = case.encoded(base="mean"), case.network_row(stateful=True, layers=1, dropout=0.0, cell="lstm")
    stateless = row.model_copy(update={"stateful": False})
    trained = Compiled(weighted(forecasting.build(row, encoded.encoder, row.batch_size), 0.7))
    plain = Compiled(forecasting.build(stateless, encoded.encoder))
    load(plain.model, trainable(trained.model))
    reader = forecasting.predictor(trained, row, encoded)
    for split in ("validation", "test", "validation"):  # and the state of one split never reaches the next
        found = reader.predict(split, ("train",), 0)
        origins, _ = targets(encoded, split)
        at, warm = carried_steps(encoded, split)
        assert np.array_equal(at[:, warm:].ravel()[: len(origins)], origins)
        scaled = plain.predict(encoded.arrays["inputs"][at])[:, warm:].reshape(-1, len(encoded.encoder["horizons"]))
        expected = scaled[: len(origins)] * encoded.encoder["sd"] + encoded.encoder["mean"]
        np.testing.assert_allclose(found, expected, atol=1e-3)
    assert np.ptp(found[:, 0]) > 0.1


@pytest.mark.parametrize("stateful", [True, False])
def test_each_row_of_the_textbook_gets_its_own_forecast_the_last_ones_too(stateful: bool) -> None:
    """Row i of a batch goes on from row i of the batch before: read alone, with a batch of one, it is the same."""
    case = CASES["scaled_windows"]
    encoded = case.encoded(preallocated=False)  # no rows of zeros at the end
    row = case.network_row(stateful=stateful, batch_size=7, layers=1, dropout=0.0)
    trained = Compiled(weighted(scaled_windows.build(row, encoded.encoder, 7 if stateful else None), 0.7))
    reader: Predictor = scaled_windows.predictor(trained, row, encoded)
    found = reader.predict("test", ("train",), 0)
    start, end = bounds(encoded, "test")
    shift, spread = encoded.encoder["target"]
    assert len(found) == end - start and (end - start) % 7, "the last batch is filled up"
    alone = Compiled(scaled_windows.build(row, encoded.encoder, 1 if stateful else None))
    load(alone.model, trainable(trained.model))
    for first in (0, (end - start - 1) % 7):
        reset_states(alone.model)
        rows = range(start + first, end, 7)
        expected = [alone.predict(windows(encoded, np.array([at])))[0, 0] * spread + shift for at in rows]
        np.testing.assert_allclose(found[first::7], expected, rtol=1e-5, atol=1e-5)
    assert len(np.unique(found.round(6))) > 10


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("name", ["sentiment", "pos_tagging", "image_rows"])
def test_smoothed_labels_share_their_part_among_all_classes(name: str, smoothing: float) -> None:
    """Szegedy et al. 2016: 1 − s of the weight for the true class, s in equal parts for all."""
    case, classes = CASES[name], 4
    loss = case.task.network().loss(case.network_row(label_smoothing=smoothing))
    logits = np.random.default_rng(0).normal(size=(2, 5, classes))
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    truth = np.eye(classes)[np.random.default_rng(1).integers(0, classes, (2, 5))]
    by_hand = [
        -sum(((1 - smoothing) * t + smoothing / classes) * math.log(q) for t, q in zip(ts, qs, strict=True))
        for ts, qs in zip(truth.reshape(-1, classes), p.reshape(-1, classes), strict=True)
    ]
    given = p if name == "sentiment" else logits  # a softmax is its last layer
    if name != "pos_tagging":
        given, truth = given.reshape(-1, classes), truth.reshape(-1, classes)
    found = float(loss(truth.astype(np.float32), given.astype(np.float32)))
    assert found == pytest.approx(np.mean(by_hand), rel=1e-5)
