"""Dynamic evaluation: it learns from the text that it reads, after it has scored it, and gives the weights back."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.networks import CharLmNetwork
from pipeline.encoding.records import Encoded
from pipeline.tasks.char_lm.network import StreamReader, build, loss
from pipeline.training import dynamic
from pipeline.training.compiled import Compiled
from pipeline.training.dynamic import SEGMENT, adaptive_bits
from pipeline.training.fit import trainable
from pipeline.training.generation import bits
from tests.tasks.records import changed_after

SIZE = 12
ENCODER = {"symbols": [str(i) for i in range(SIZE)]}
BEFORE, PASSAGE = (np.random.default_rng(seed).integers(0, SIZE, n).astype(np.int16) for seed, n in ((0, 400), (1, 50)))
TEXT = np.tile(PASSAGE, 6)
ROW = CharLmNetwork(dataset="x", task="char_lm", cell="gru", units=8, embedding=4, dropout=0.5, weight_dropout=0.5)


@pytest.fixture(scope="module")
def model() -> Any:
    changes = {"stateful": True, "dropout": 0.0, "weight_dropout": 0.0}
    return build(ROW.model_copy(update=changes), ENCODER, batch=1)


@pytest.fixture(scope="module")
def learning(model: Any) -> Any:
    weights = trainable(model)

    def read(text: Any, rate: float) -> Any:
        found = adaptive_bits(model, loss(ROW), weights, BEFORE, text, rate)
        assert found.dtype == np.float32 and found.shape == text.shape
        for before, after in zip(weights, trainable(model), strict=True):
            np.testing.assert_array_equal(after, before)  # the trained weights are back
        return found

    return read


def test_without_learning_it_is_the_static_figure(model: Any, learning: Any) -> None:
    found = learning(TEXT, 0.0)
    model_alone = Compiled(model)
    model_alone.reset_states()
    static = bits(model_alone, np.concatenate([BEFORE, TEXT]).astype(np.int32)[None])[0][-len(TEXT) :]
    assert static.std() > 0.01
    by_segment = static.reshape(-1, SEGMENT).mean(axis=1)
    np.testing.assert_allclose(found[::SEGMENT], by_segment, atol=1e-5)


def test_a_segment_is_scored_before_it_is_learned(learning: Any) -> None:
    """The future of the text changes nothing before it, and the first segment is scored with the trained weights."""
    found, static = learning(TEXT, 0.01), learning(TEXT, 0.0)
    np.testing.assert_allclose(found[:SEGMENT], static[:SEGMENT], atol=1e-6)
    assert np.abs(found[SEGMENT:] - static[SEGMENT:]).max() > 0.01
    for last in (SEGMENT - 1, 5 * SEGMENT - 1):
        after = learning(changed_after(TEXT, last, lambda ids: (ids + 1) % SIZE), 0.01)
        np.testing.assert_allclose(after[: last + 1], found[: last + 1], atol=1e-5)
        assert abs(after[last + 1] - found[last + 1]) > 1e-3


def test_a_network_that_goes_on_learning_gains_from_a_repeated_test(learning: Any) -> None:
    found, static = learning(TEXT, 0.01), learning(TEXT, 0.0)
    assert found[-50:].mean() < static[-50:].mean() - 0.2
    assert found[:SEGMENT].mean() == pytest.approx(static[:SEGMENT].mean(), abs=1e-5)


def test_a_step_by_hand() -> None:
    """Squares 4 and 16 over 2 segments: roots √2 and √8. The first weight is at home, the second is 1 away."""
    from pipeline.layers import keras

    variable = keras.Variable(np.array([1.0, 2.0], np.float32))
    steps = dynamic.Steps([np.array([1.0, 1.0], np.float32)])
    for gradient in ([0.0, 4.0], [2.0, 0.0]):
        steps.apply([np.array(gradient, np.float32)], [variable])
        assert np.asarray(variable).tolist() == [1.0, 2.0], "squares are gathered first"
    steps.begin(0.1, 2)
    steps.apply([np.array([1.0, -1.0], np.float32)], [variable])
    low, high = np.sqrt(2), np.sqrt(8)
    pulls = dynamic.PULL * np.array([low, high]) / ((low + high) / 2)
    expected = [1.0 - 0.1 / (low + 1e-4), 2.0 - pulls[1] + 0.1 / (high + 1e-4)]
    assert np.asarray(variable) == pytest.approx(expected, rel=1e-5)


def test_the_predictor_stores_it_apart_from_the_static_bits(capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {"train": BEFORE, "validation": BEFORE[:40], "test": TEXT[:100]}
    encoded = Encoded(arrays, ENCODER, {}, {})
    for rate, found in ((0.0, set()), (0.01, {"adaptive"})):
        row = ROW.model_copy(update={"adaptive_rate": rate, "stateful": False})
        reader = StreamReader(Compiled(build(row, ENCODER)), row, encoded)
        static = reader.predict("test", ("train",), 0)
        further = reader.further_arrays(("train",), 0)
        assert set(further) == found
        np.testing.assert_array_equal(reader.predict("test", ("train",), 0), static)
    assert further["adaptive"].mean() != pytest.approx(static.mean(), abs=1e-4)
    assert reader._adaptive("test", 0.0).mean() == pytest.approx(static.mean(), abs=1e-4), "without any dropout"
    broken = reader._adaptive
    reader._adaptive = lambda *given: broken(*given) * np.float32("nan")  # type: ignore[method-assign]
    assert reader.further_arrays(("train",), 0) == {} and "too high" in capsys.readouterr().out
