"""Compare the outputs and all gradients of the reference cells with Keras and with finite differences."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipeline.reference
from pipeline.config.schema.networks import BY_HAND
from pipeline.layers import keras
from pipeline.layers.cells import CELLS as KERAS_CELLS
from pipeline.reference import clipping, through_time
from pipeline.reference.cells import CELLS, GRU, LSTM, Cell, Floats, SimpleRNN, Weights, sigmoid
from pipeline.reference.network import Network, half_squared, mean_absolute, mean_squared

BATCH, TIME, FEATURES, UNITS = 2, 7, 3, 4
ALL: dict[str, Cell] = {**CELLS, "sigmoid": SimpleRNN("sigmoid")}


def numbers(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def weights_of(cell: Cell, features: int = FEATURES, units: int = UNITS) -> Weights:
    wide = cell.gates * units
    bias = (2, wide) if isinstance(cell, GRU) else (wide,)
    return Weights(0.5 * numbers(features, wide), 0.5 * numbers(units, wide), 0.5 * numbers(*bias))


def keras_layer(name: str, weights: Weights, **options: Any) -> Any:
    """Build the Keras layer with these weights, in float64, with one output for each step."""
    kind = keras.layers.SimpleRNN if name == "sigmoid" else KERAS_CELLS[name]
    activation = {"activation": "sigmoid"} if name == "sigmoid" else {}
    layer = kind(len(weights.recurrent), return_sequences=True, dtype="float64", **activation, **options)
    layer.build((BATCH, None, len(weights.kernel)))
    layer.set_weights(weights)
    return layer


def keras_gradients(layer: Any, x: Floats, d_outputs: Floats) -> tuple[Floats, Floats, list[Floats]]:
    """Return (outputs, d_x, d_weights) for the loss sum(outputs × d_outputs), whose gradient is d_outputs."""
    import tensorflow as tf

    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs * d_outputs)
    variables = [v.value for v in layer.trainable_variables]
    d_x, *d_weights = tape.gradient(loss, [inputs, *variables])
    return np.asarray(outputs), np.asarray(d_x), [np.asarray(d) for d in d_weights]


def slopes(loss: Callable[[], float], at: Floats, step: float = 1e-5) -> Floats:
    """Compute central finite differences of loss() with respect to each number of `at`, which is changed in place."""
    differences = np.empty_like(at)
    for i in np.ndindex(at.shape):
        kept = at[i]
        at[i] = kept + step
        above = loss()
        at[i] = kept - step
        differences[i] = (above - loss()) / (2 * step)
        at[i] = kept
    return differences


def assert_close(actual: Floats, expected: Floats, tolerance: float) -> None:
    """Compare relative to the largest number: a finite difference is as exact as the loss, not as the slope."""
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def test_numpy_is_all_that_is_needed() -> None:
    allowed = {"collections", "dataclasses", "numpy", "pipeline", "typing"}
    for path in Path(pipeline.reference.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed
            assert all(name.startswith("pipeline.reference") for name in names if name.startswith("pipeline"))


def test_the_configuration_knows_these_cells() -> None:
    assert set(CELLS) == set(BY_HAND) <= set(KERAS_CELLS)


@pytest.mark.parametrize("name", ALL)
def test_outputs_and_gradients_are_those_of_keras(name: str) -> None:
    cell, weights, x = ALL[name], weights_of(ALL[name]), numbers(BATCH, TIME, FEATURES)
    d_outputs = numbers(BATCH, TIME, UNITS, seed=1)
    unrolled = through_time.forward(cell, weights, x)
    d_x, d_weights = through_time.backward(cell, weights, unrolled.traces, d_outputs)
    outputs, keras_d_x, keras_d_weights = keras_gradients(keras_layer(name, weights), x, d_outputs)
    np.testing.assert_allclose(unrolled.outputs, outputs, atol=1e-12)
    np.testing.assert_allclose(d_x, keras_d_x, atol=1e-12)
    for mine, theirs in zip(d_weights, keras_d_weights, strict=True):
        assert mine.shape == theirs.shape and np.abs(theirs).min() > 0
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_gradients_are_slopes(name: str) -> None:
    cell, weights, x = ALL[name], weights_of(ALL[name]), numbers(BATCH, TIME, FEATURES)
    d_outputs = numbers(BATCH, TIME, UNITS, seed=1)

    def loss() -> float:
        return float(np.sum(through_time.forward(cell, weights, x).outputs * d_outputs))

    traces = through_time.forward(cell, weights, x).traces
    d_x, d_weights = through_time.backward(cell, weights, traces, d_outputs)
    for gradient, at in zip([d_x, *d_weights], [x, *weights], strict=True):
        assert_close(gradient, slopes(loss, at), 1e-6)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("truncate", [0, 1, 3])
def test_truncated_gradients_are_those_of_a_state_that_was_detached(name: str, truncate: int) -> None:
    """Check by finite differences; the loss of step t is computed from the unchanged state `truncate` steps earlier."""
    cell, weights, x = ALL[name], weights_of(ALL[name]), numbers(BATCH, TIME, FEATURES)
    d_outputs = numbers(BATCH, TIME, UNITS, seed=1)
    whole = through_time.forward(cell, weights, x)
    starts = [max(0, t - truncate) for t in range(TIME)]
    detached = [through_time.forward(cell, weights, x[:, :s]).state if s else None for s in starts]

    def loss() -> float:
        ends = [
            through_time.forward(cell, weights, x[:, s : t + 1], state).outputs[:, -1]
            for t, (s, state) in enumerate(zip(starts, detached, strict=True))
        ]
        return float(np.sum(np.stack(ends, axis=1) * d_outputs))

    d_x, d_weights = through_time.backward(cell, weights, whole.traces, d_outputs, truncate)
    for gradient, at in zip([d_x, *d_weights], [x, *weights], strict=True):
        assert_close(gradient, slopes(loss, at), 1e-6)
    untruncated = through_time.backward(cell, weights, whole.traces, d_outputs)[1]
    assert np.abs(untruncated.recurrent - d_weights.recurrent).max() > 1e-5


@pytest.mark.parametrize("name", ALL)
def test_a_truncation_that_reaches_the_start_is_none(name: str) -> None:
    cell, weights, x = ALL[name], weights_of(ALL[name]), numbers(BATCH, TIME, FEATURES)
    d_outputs = numbers(BATCH, TIME, UNITS, seed=1)
    traces = through_time.forward(cell, weights, x).traces
    d_x, d_weights = through_time.backward(cell, weights, traces, d_outputs)
    for truncate in (TIME - 1, TIME, 10 * TIME):
        again_x, again = through_time.backward(cell, weights, traces, d_outputs, truncate)
        assert np.array_equal(again_x, d_x) and all(map(np.array_equal, again, d_weights))
    # With TIME - 2 only the gradient from the last step to the first is missing.
    almost = through_time.backward(cell, weights, traces, d_outputs, TIME - 2)[1]
    assert np.abs(almost.kernel - d_weights.kernel).max() > 1e-9
    d_outputs[:, -1] = 0
    sums = through_time.backward(cell, weights, traces, d_outputs, TIME - 2)[1]
    np.testing.assert_allclose(
        sums.kernel, through_time.backward(cell, weights, traces, d_outputs)[1].kernel, atol=1e-12
    )


@pytest.mark.parametrize("name", CELLS)
def test_chunks_with_a_carried_state_are_a_stateful_network_of_keras(name: str) -> None:
    """With k1 = k2 = 4 the outputs are those of a single pass, the gradients are not; both are those of Keras."""
    cell, weights, x = CELLS[name], weights_of(CELLS[name]), numbers(BATCH, 8, FEATURES)
    d_outputs = numbers(BATCH, 8, UNITS, seed=1)
    layer, state = keras_layer(name, weights, stateful=True), None
    for chunk in (slice(0, 4), slice(4, 8)):
        unrolled = through_time.forward(cell, weights, x[:, chunk], state)
        _, d_weights = through_time.backward(cell, weights, unrolled.traces, d_outputs[:, chunk])
        outputs, _, keras_d_weights = keras_gradients(layer, x[:, chunk], d_outputs[:, chunk])
        np.testing.assert_allclose(unrolled.outputs, outputs, atol=1e-12)
        for mine, theirs in zip(d_weights, keras_d_weights, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-12)
        state = unrolled.state


def test_a_gradient_lives_longer_in_an_lstm_that_does_not_forget() -> None:
    """The gradient of the memory is not multiplied by a matrix: with forget gates at 1 it survives a hundred steps."""
    lives = {}
    for name, cell in {"simple_rnn": SimpleRNN(), "lstm": LSTM()}.items():
        kernel = np.zeros((1, cell.gates * UNITS))
        bias = np.zeros(cell.gates * UNITS)
        if name == "lstm":
            bias[UNITS : 2 * UNITS] = 20.0
        weights = Weights(kernel + 0.1, 0.1 * numbers(UNITS, cell.gates * UNITS), bias)
        traces = through_time.forward(cell, weights, numbers(1, 100, 1)).traces
        d_outputs = np.zeros((1, 100, UNITS))
        d_outputs[:, -1] = 1.0
        d_x, _ = through_time.backward(cell, weights, traces, d_outputs)
        lives[name] = np.abs(d_x[0, 0, 0]) / np.abs(d_x[0, -1, 0])
    assert lives["simple_rnn"] < 1e-30 and lives["lstm"] > 0.1


@pytest.mark.parametrize("loss", [mean_squared, mean_absolute, half_squared])
def test_a_loss_and_its_gradient_leave_out_what_is_missing(loss: Any) -> None:
    forecast, truth = numbers(2, 5, 2), numbers(2, 5, 2, seed=1)
    truth[0, :3, 0] = truth[1, 4] = np.nan
    error = forecast - truth
    expected = {mean_squared: np.nanmean(error**2), mean_absolute: np.nanmean(np.abs(error))}
    cost, gradient = loss(forecast, truth)
    assert cost == pytest.approx(expected.get(loss, 0.5 * np.nansum(error**2)))
    assert_close(gradient, slopes(lambda: loss(forecast, truth)[0], forecast), 1e-6)
    assert (gradient[np.isnan(truth)] == 0).all()


@pytest.mark.parametrize("truncate", [None, 2])
def test_the_gradients_of_a_stack_are_slopes(truncate: int | None) -> None:
    cells = [GRU(), LSTM()]
    dense = [numbers(UNITS, 2), numbers(2)]
    weights = [*weights_of(cells[0]), *weights_of(cells[1], features=UNITS), *dense]
    x, truth, network = numbers(BATCH, TIME, FEATURES), numbers(BATCH, TIME, 2, seed=1), Network(cells)

    def loss() -> float:
        return mean_squared(network.predict(weights, x), truth)[0]

    gradients = network.gradients(weights, x, truth, mean_squared, truncate)
    assert gradients.loss == pytest.approx(loss()) and len(gradients.d_weights) == len(weights)
    for i, (gradient, at) in enumerate(zip(gradients.d_weights, weights, strict=True)):
        expected = slopes(loss, at)
        if truncate is None or i >= 6:  # gradients of the dense layer are never truncated
            assert_close(gradient, expected, 1e-6)
        else:
            assert np.abs(gradient - expected).max() > 1e-3 * np.abs(expected).max()


def test_clipping_by_value_and_by_norm() -> None:
    gradients = [np.array([[3.0, -0.5], [20.0, 0.0]]), np.array([-4.0])]
    small, large = clipping.by_value(gradients, 3.5)
    assert small.tolist() == [[3.0, -0.5], [3.5, 0.0]] and large.tolist() == [-3.5]
    length = np.sqrt(9 + 0.25 + 400 + 16)
    clipped = clipping.by_norm(gradients, 2.0)
    for before, after in zip(gradients, clipped, strict=True):
        np.testing.assert_allclose(after, before * 2.0 / length)
    assert all(map(np.array_equal, clipping.by_norm(gradients, 21.0), gradients))
    assert clipping.by_norm([np.zeros(3)], 1.0)[0].tolist() == [0.0] * 3


@pytest.mark.parametrize("kind", ["clipvalue", "global_clipnorm"])
def test_clipping_is_that_of_keras(kind: str) -> None:
    gradients = [numbers(3, 4), numbers(5, seed=1)]
    variables = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in gradients]
    keras.optimizers.SGD(1.0, **{kind: 0.7}).apply(gradients, variables)
    cut = {"clipvalue": clipping.by_value, "global_clipnorm": clipping.by_norm}[kind]
    for variable, gradient in zip(variables, cut(gradients, 0.7), strict=True):
        np.testing.assert_allclose(-np.asarray(variable), gradient, atol=1e-6)


def test_the_sigmoid_does_not_overflow() -> None:
    assert sigmoid(np.array([-1e4, 0.0, 1e4])).tolist() == [0.0, 0.5, 1.0]
