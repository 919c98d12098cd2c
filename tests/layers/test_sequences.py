"""Compiled recurrent layers: what Keras' own layers of the same weights return, and the gradients, in every form."""

import functools
import itertools
import random
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.networks import CharLmNetwork
from pipeline.layers import compiles, keras
from pipeline.layers.cells import CELLS, STEP_BY_STEP, recurrent
from pipeline.layers.loops import halves
from pipeline.training.fit import trainable

BATCH, TIME, FEATURES, UNITS = 5, 7, 3, 11  # no multiples of what is computed at once
WITHIN = 1e-5  # of the largest number of an array
FORMS = [
    {"return_sequences": sequences, "go_backwards": backwards}
    for sequences, backwards in itertools.product([False, True], repeat=2)
]


@pytest.fixture(autouse=True)
def compiler() -> None:
    assert compiles(), "install numba"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the compiled loops that have run."""
    found: list[str] = []

    def noted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any) -> Any:
            found.append(name)
            return function(*arguments)

        return run

    for name in ("gru", "lstm", "simple_rnn"):
        for way in ("forward", "backward"):
            monkeypatch.setattr(halves, f"{name}_{way}", noted(f"{name}_{way}", getattr(halves, f"{name}_{way}")))
    return found


def numbers(*shape: int, seed: int = 0) -> Any:
    return (0.5 * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


def both(cell: str, **options: Any) -> list[Any]:
    """The compiled layer and Keras' own with the same weights, of which none is zero."""
    layers = [table[cell](UNITS, **options) for table in (CELLS, STEP_BY_STEP)]
    for layer in layers:
        layer.build((BATCH, TIME, FEATURES))
        layer.set_weights([numbers(*w.shape, seed=i) for i, w in enumerate(layer.weights)])
    return layers


def results(call: Any, x: Any, mask: Any = None, start: Any = None, layer: Any = None) -> list[Any]:
    """The output, and the gradients of a weighted sum of it: of the weights, the inputs and the initial states.

    layer: the one whose weights are meant, if it is not `call`.
    """
    import tensorflow as tf

    x, start = tf.constant(x), [tf.constant(s) for s in start or []]
    with tf.GradientTape() as tape:
        tape.watch([x, *start])
        out = call(x, mask=mask, **({"initial_state": start} if start else {}))
        total = tf.reduce_sum(out * numbers(*out.shape, seed=9))
    gradients = tape.gradient(total, [*(v.value for v in (layer or call).trainable_variables), x, *start])
    return [np.asarray(array) for array in (out, *gradients)]


def assert_equal(found: list[Any], expected: list[Any], within: float = WITHIN) -> None:
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=within * max(np.abs(theirs).max(), 1e-3))


MASKS = {
    "no mask": None,
    "padded": np.arange(TIME) < np.array([[1], [3], [7], [5], [2]]),
    "holes": np.random.default_rng(3).random((BATCH, TIME)) < 0.6,
    "one row all masked": np.arange(TIME) < np.array([[0], [3], [7], [5], [2]]),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("mask", MASKS)
def test_outputs_and_gradients_are_those_of_keras(cell: str, mask: str, calls: list[str]) -> None:
    x = numbers(BATCH, TIME, FEATURES, seed=7)
    for form, started in itertools.product(FORMS, (False, True)):
        ours, theirs = both(cell, **form)
        start = [numbers(BATCH, UNITS, seed=20 + i) for i in range(len(ours.state_size))] if started else None
        assert_equal(results(ours, x, MASKS[mask], start), results(theirs, x, MASKS[mask], start))
    kind = {"gru": "gru", "simple_rnn": "simple_rnn"}.get(cell, "lstm")
    assert calls == [f"{kind}_forward", f"{kind}_backward"] * len(FORMS) * 2


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("stack", [{"layers": 2}, {"layers": 2, "bidirectional": True}], ids=str)
def test_a_network_starts_with_the_weights_of_keras_and_learns_the_same(cell: str, stack: dict[str, Any]) -> None:
    made = []
    for kernel in ("auto", "keras"):
        random.seed(5)  # from which Keras draws its seeds
        row = CharLmNetwork(
            dataset="made-up", task="char_lm", cell=cell, units=UNITS, stateful=False, kernel=kernel, **stack
        )
        x = keras.Input((None, FEATURES))
        made.append(keras.Model(x, recurrent(row, x, sequences=True)))
    paths = [[re.sub(r"_\d+/", "/", v.path) for v in model.trainable_variables] for model in made]
    assert paths[0] == paths[1]
    assert all(np.array_equal(a, b) for a, b in zip(*map(trainable, made), strict=True))
    x = numbers(BATCH, TIME, FEATURES, seed=7)
    assert_equal(*[results(model, x) for model in made])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("mask", MASKS)
def test_both_directions_are_those_of_keras(cell: str, mask: str) -> None:
    x = numbers(BATCH, TIME, FEATURES, seed=7)
    ours, theirs = (keras.layers.Bidirectional(layer) for layer in both(cell, return_sequences=True))
    ours.build(x.shape), theirs.build(x.shape)
    ours.set_weights(theirs.get_weights())
    assert_equal(results(ours, x, MASKS[mask]), results(theirs, x, MASKS[mask]))


@pytest.mark.parametrize("cell", CELLS)
def test_a_carried_state_is_that_of_keras(cell: str) -> None:
    ours, theirs = both(cell, stateful=True, return_sequences=True)
    for seed in (1, 2, 3):
        x = numbers(BATCH, TIME, FEATURES, seed=seed)
        assert_equal([np.asarray(ours(x))], [np.asarray(theirs(x))])
    for state, expected in zip(ours.states, theirs.states, strict=True):
        assert_equal([np.asarray(state)], [np.asarray(expected)])
        assert np.abs(expected).max() > 0.01


def test_the_states_can_be_returned_and_take_a_gradient() -> None:
    import tensorflow as tf

    found = []
    for layer in both("lstm", return_state=True):
        x = tf.constant(numbers(BATCH, TIME, FEATURES, seed=7))
        with tf.GradientTape() as tape:
            tape.watch(x)
            out, state, memory = layer(x)
            total = tf.reduce_sum(memory * numbers(BATCH, UNITS, seed=8)) + tf.reduce_sum(state)
        found.append([np.asarray(a) for a in (out, state, memory, tape.gradient(total, x))])
    assert_equal(*found)


OTHERS: dict[str, dict[str, Any]] = {
    "dropout in the gates": {"dropout": 0.3},
    "dropout of the state": {"recurrent_dropout": 0.3},
    "another activation": {"activation": "relu"},
    "another gate": {"recurrent_activation": "hard_sigmoid"},
    "no bias": {"use_bias": False},
    "reset before the product": {"reset_after": False},
    "unrolled": {"unroll": True},
    "float64": {"dtype": "float64"},
    "half precision": {"dtype": "mixed_bfloat16"},
}


@pytest.mark.parametrize("name", OTHERS)
def test_keras_computes_what_is_not_covered(name: str, calls: list[str]) -> None:
    ours, theirs = both("gru", **OTHERS[name])
    x = numbers(BATCH, TIME, FEATURES)
    assert_equal([np.asarray(ours(x))], [np.asarray(theirs(x))])
    assert not calls


def test_without_a_compiler_keras_computes_everything(monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> None:
    monkeypatch.setattr("pipeline.layers.sequences.compiles", lambda: False)
    ours, theirs = both("gru")
    x = numbers(BATCH, TIME, FEATURES)
    assert_equal([np.asarray(ours(x))], [np.asarray(theirs(x))])
    assert not calls


def test_the_setting_kernel_leaves_all_to_keras(calls: list[str]) -> None:
    x = keras.Input((None, FEATURES))
    for kernel, expected in (("keras", []), ("auto", ["gru_forward"])):
        row = CharLmNetwork(dataset="made-up", task="char_lm", units=UNITS, stateful=False, kernel=kernel)
        keras.Model(x, recurrent(row, x, sequences=True))(numbers(BATCH, TIME, FEATURES))
        assert calls == expected


@pytest.mark.parametrize("cell", CELLS)
def test_a_model_is_remade_from_its_configuration(cell: str) -> None:
    layer, _ = both(cell, return_sequences=True)
    again = type(layer).from_config(layer.get_config())
    again.build((BATCH, TIME, FEATURES))
    again.set_weights(layer.get_weights())
    x = numbers(BATCH, TIME, FEATURES)
    assert np.array_equal(again(x), layer(x))


@pytest.mark.parametrize("cell", CELLS)
def test_dropped_weights_are_drawn_for_each_batch_of_the_training_alone(cell: str) -> None:
    """The expected outputs are those of Keras' own layer with these weights set to zero, and the others doubled."""
    layer, expected = both(cell)
    dropping = CELLS[cell](UNITS, weight_dropout=0.5)
    dropping.build((BATCH, TIME, FEATURES))
    dropping.set_weights(layer.get_weights())
    x, whole = numbers(BATCH, TIME, FEATURES), np.asarray(dropping.cell.recurrent_kernel)
    assert np.array_equal(dropping(x), layer(x))
    seeds = keras.random.SeedGenerator(0)
    seeds.state.assign(dropping.weight_seeds.state)
    drawn = [keras.random.dropout(whole, 0.5, seed=seeds) for _ in range(2)]
    for some in drawn:
        assert 0.3 < np.mean(np.asarray(some) == 0.0) < 0.7
        expected.cell.recurrent_kernel.assign(some)
        assert_equal([np.asarray(dropping(x, training=True))], [np.asarray(expected(x))])
    assert not np.array_equal(*drawn)
    assert np.array_equal(dropping.cell.recurrent_kernel, whole)


@pytest.mark.parametrize("cell", CELLS)
def test_a_dropped_weight_has_no_gradient_and_keras_computes_the_same(
    cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for covered in (True, False):
        keras.utils.set_random_seed(0)
        layer = CELLS[cell](UNITS, weight_dropout=0.5)
        layer.build((BATCH, TIME, FEATURES))
        monkeypatch.setattr("pipeline.layers.sequences._covered", lambda layer, covered=covered: covered)
        found.append(results(functools.partial(layer, training=True), numbers(BATCH, TIME, FEATURES), layer=layer))
    assert_equal(*found)
    share = np.mean(found[0][2] == 0.0)
    assert 0.3 < share < 0.7
