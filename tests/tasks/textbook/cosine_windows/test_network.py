"""The chapter's cosine from scratch: its printed numbers, its flaws, and that the NumPy network is the one of Keras."""

import random
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import CosineWindowsData
from pipeline.config.schema.networks import CosineWindowsNetwork
from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.reference import cells, through_time
from pipeline.tasks.textbook.cosine_windows.answers import forecast
from pipeline.tasks.textbook.cosine_windows.baselines import baselines
from pipeline.tasks.textbook.cosine_windows.network import Windows, build
from pipeline.tasks.textbook.cosine_windows.prepare import after, encode, fitted
from pipeline.tasks.textbook.cosine_windows.score import score
from pipeline.tasks.textbook.cosine_windows.task import TASK
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, trainable
from pipeline.training.repeats import Trainer

ROW = CosineWindowsData(source="cosine", task="cosine_windows", window=50, training=100, validation_windows=50)
NETWORK = CosineWindowsNetwork(
    dataset="x", task="cosine_windows", cell="simple_rnn", units=100, batch_size=1,
    learning_rate=1e-4, schedule="constant", clip_norm=None, clip_value=10.0,
)  # fmt: skip


def series(points: int = 2000) -> Series:
    return Series(np.cos(np.arange(points)), np.ones(points, bool), "", findings={"points": points})


ENCODED = encode(series(), ROW, 0)


def trainer(encoded: Encoded = ENCODED, epochs: int = 2, **changes: Any) -> Trainer:
    return Trainer(TASK, NETWORK.model_copy(update={**changes, "epochs": epochs}), encoded)


# What the chapter prints


def test_pinned_number_windows() -> None:
    assert ENCODED.examples == {"train": 100, "validation": 50, "test": 50}
    x, y = ENCODED.arrays["train_x"], ENCODED.arrays["train_y"]
    assert x.shape == (100, 50) and y.shape == (100,)
    np.testing.assert_array_equal(x[0], np.cos(np.arange(50)))
    assert y[0] == np.cos(50) and y[-1] == np.cos(149) and ENCODED.arrays["test_y"][-1] == np.cos(199)
    np.testing.assert_array_equal(x[1:, :-1], x[:-1, 1:])


@pytest.mark.parametrize(("positive", "low"), [(False, -1.0), (True, 0.0)])
def test_pinned_number_first_weights_are_uniform(positive: bool, low: float) -> None:
    row = NETWORK.model_copy(update={"positive_start": positive})
    random.seed(1)  # the generator that Keras draws the seeds of initialisers from
    kernel, recurrent, bias, dense, last = trainable(build(row, ENCODED.encoder))
    assert kernel.shape == (1, 100) and recurrent.shape == (100, 100) and dense.shape == (100, 1)
    for weights in (kernel, recurrent, dense):
        middle, width = weights.mean(), 1.0 - low
        edge = 10 * width / weights.size  # that none of them comes so near has a probability of e^-10
        assert low <= weights.min() < low + edge and 1.0 - edge < weights.max() <= 1.0
        assert abs(middle - (low + 1) / 2) < 3 * width / np.sqrt(12 * weights.size)
    assert not bias.any() and not last.any()


# What is wrong with it


def test_pinned_flaw_validation_is_test() -> None:
    for kind in "xy":
        np.testing.assert_array_equal(ENCODED.arrays[f"validation_{kind}"], ENCODED.arrays[f"test_{kind}"])
    assert any("validation = test" in flaw for flaw in ENCODED.summary["flaws"])


def test_pinned_flaw_a_test_window_is_a_training_window() -> None:
    """44 steps are .018 short of seven periods: what followed the training window before it is the answer."""
    x, test = ENCODED.arrays["train_x"], ENCODED.arrays["test_x"]
    assert np.abs(test - x[100 - 44 + np.arange(50) - 44 * (np.arange(50) >= 44)]).max() < 0.036
    found = {name: b.metrics["rmse"] for name, b in baselines(ENCODED).items()}
    assert found["nearest training window"] == pytest.approx(0.0145, abs=5e-4)
    assert found["AR(2)"] < 1e-12
    assert found["mean"] == pytest.approx(0.709, abs=1e-3) and found["last value"] == pytest.approx(0.676, abs=1e-3)
    assert any("a test window is a training window" in flaw for flaw in ENCODED.summary["flaws"])


def test_pinned_flaw_weights_from_0_to_1_saturate_every_unit() -> None:
    """Fifty positive numbers into each sigmoid: its output is 1 for every window, and no gradient comes back."""
    rng = np.random.default_rng(0)
    weights = [rng.uniform(0, 1, shape) for shape in ((1, 100), (100, 100), (100, 1))]
    layer = cells.Weights(weights[0], weights[1], np.zeros(100))
    cell, x = cells.SimpleRNN("sigmoid"), ENCODED.arrays["test_x"][..., None]
    unrolled = through_time.forward(cell, layer, x)
    assert 1 - unrolled.outputs[:, -1].min() < 1e-10
    d_outputs = np.zeros_like(unrolled.outputs)
    d_outputs[:, -1] = weights[2][:, 0]
    _, back = through_time.backward(cell, layer, unrolled.traces, d_outputs)
    assert max(np.abs(d).max() for d in back) < 1e-8


# How it is trained


def by_hand(weights: list[Any], x: Any, y: float, truncate: int = 5) -> list[Any]:
    """One step of the chapter's training, loops and all, of weights (U, W, b, V, c)."""
    u, w, b, v, c = (np.array(part) for part in weights)
    states = [np.zeros(len(w))]
    for value in x:
        states.append(1 / (1 + np.exp(-(value * u[0] + states[-1] @ w + b))))
    error = states[-1] @ v[:, 0] + c[0] - y
    gradients = [np.zeros_like(part) for part in (u, w, b, v, c)]
    gradients[3][:, 0], gradients[4][0] = error * states[-1], error
    back = error * v[:, 0]
    for t in range(len(x), len(x) - truncate - 1, -1):
        inner = back * states[t] * (1 - states[t])
        gradients[0][0] += inner * x[t - 1]
        gradients[1] += np.outer(states[t - 1], inner)
        gradients[2] += inner
        back = w @ inner
    return [p - 1e-4 * np.clip(g, -10, 10) for p, g in zip((u, w, b, v, c), gradients, strict=True)]


def test_a_step_is_the_chapters_truncated_after_five_and_clipped() -> None:
    made = trainer()
    x, y, _ = next(made.module.feed(made.network, ENCODED, ("train",), 0).batches(np.random.default_rng(0)))
    weights = trainable(made.compiled.model)
    weights[3] = weights[3] + 2.0  # an error large enough to be clipped
    load(made.compiled.model, weights)
    assert made.compiled.train(x, y, None) > 50
    expected = by_hand(weights, x[0, :, 0], float(y[0, -1, 0]))
    for found, wanted in zip(trainable(made.compiled.model), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-9)  # Keras keeps the rate in float32
    longer = by_hand(weights, x[0, :, 0], float(y[0, -1, 0]), truncate=6)
    assert np.abs(longer[1] - expected[1]).max() > 1e-8
    assert np.abs(trainable(made.compiled.model)[3] - weights[3]).max() == pytest.approx(1e-3)  # rate × 10


def test_the_windows_come_one_by_one_in_their_order() -> None:
    chunks = list(Windows(NETWORK, ENCODED, ("train",)).batches(np.random.default_rng(0)))
    assert len(chunks) == Windows(NETWORK, ENCODED, ("train",)).steps == 100
    for (x, y, weights), window, truth in zip(
        chunks, ENCODED.arrays["train_x"], ENCODED.arrays["train_y"], strict=True
    ):
        assert np.array_equal(x[0, :, 0], window) and y[0, -1, 0] == truth and weights is None
        assert np.isnan(y[0, :-1]).all()


@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_the_network_in_numpy_is_the_one_that_keras_serves(cell: str) -> None:
    found = trainer(cell=cell, units=20, learning_rate=0.01).trained(1, 0, cell)
    twin = build(NETWORK.model_copy(update={"cell": cell, "units": 20}), ENCODED.encoder)
    load(twin, found.weights)
    served = after(Compiled(twin), ENCODED.arrays["test_x"])
    assert twin.output.dtype == "float64" and found.weights[0].dtype == np.float64
    np.testing.assert_allclose(served, found.predictions["test"], atol=1e-10)
    np.testing.assert_array_equal(found.predictions["validation"], found.predictions["test"])
    assert found.history[-1]["loss"] < found.history[0]["loss"]
    assert score(ENCODED, "test", found.predictions["test"])["rmse"] == pytest.approx(found.history[-1]["val_rmse"])


def test_training_and_validation_losses_fall() -> None:
    history = trainer().trained(42, 0, "chapter").history
    assert history[1]["loss"] < 0.6 * history[0]["loss"] and history[1]["val_rmse"] < history[0]["val_rmse"]


def test_a_series_that_is_too_short_or_masked_is_named() -> None:
    with pytest.raises(DataError, match=r"cosine: 150 windows of 50 .* need 200 valid values.* found 199"):
        encode(series(199), ROW, 0)
    masked = Series(np.cos(np.arange(200)), np.arange(200) != 7, "")
    with pytest.raises(DataError, match="found 199;"):
        encode(masked, ROW, 0)


def test_a_forecast_goes_on_from_its_own_values() -> None:
    encoder = fitted(ENCODED, ("train",))
    served, cosine = LoadedNetwork(NETWORK, encoder, Compiled(build(NETWORK, encoder))), np.cos(np.arange(150, 200))
    assert encoder["latest"] == cosine.tolist()
    latest = forecast(served, {}, 3)["values"]
    assert forecast(served, {"values": [9.0, *cosine]}, 3)["values"] == latest
    first = float(after(served.model, cosine[None])[0])
    assert latest[0] == first
    assert forecast(served, {"values": [*cosine, first]}, 2)["values"] == pytest.approx(latest[1:])
    with pytest.raises(DataError, match="at least 50 are needed"):
        forecast(served, {"values": cosine[1:].tolist()}, 3)
