"""The training loop: the best epoch is kept, rates and clipping do what they say, what cannot be trained is named."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.schema.networks import Network
from pipeline.errors import TrainingError
from pipeline.evaluation.metric import Metric
from pipeline.layers import keras
from pipeline.training.average import Average
from pipeline.training.compiled import Compiled
from pipeline.training.fit import fit, load, optimizer, trainable

RMSE = Metric("rmse")
ACCURACY = Metric("accuracy", higher_is_better=True)
STEPS, INPUTS = 20, 3


class Line:
    """A feed of STEPS small batches for a linear model; notes the weights and the rate before and after every step."""

    steps = STEPS

    def __init__(self, compiled: Compiled, scale: float = 1.0) -> None:
        rng = np.random.default_rng(0)
        self.compiled, self.weights, self.rates = compiled, list[NDArray[Any]](), list[float]()
        self.x = rng.normal(size=(STEPS, 8, INPUTS)).astype(np.float32)
        self.y = (scale * (self.x @ rng.normal(size=(INPUTS, 1)) + rng.normal(size=(STEPS, 8, 1)))).astype(np.float32)

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Any, Any, None]]:
        for x, y in zip(self.x, self.y, strict=True):
            self.weights.append(trainable(self.compiled.model)[0])
            yield x, y, None
            self.rates.append(float(self.compiled.optimizer.learning_rate))
        self.weights.append(trainable(self.compiled.model)[0])


def linear(**options: Any) -> tuple[Network, Compiled]:
    plain = {"optimizer": "sgd", "learning_rate": 0.01, "schedule": "constant", "clip_norm": None}
    network = Network(**{"dataset": "made-up", **plain, **options})
    x = keras.Input((INPUTS,))
    model = keras.Model(x, keras.layers.Dense(1, use_bias=False)(x))
    load(model, [np.array([[1.0], [-2.0], [0.5]], np.float32)])
    return network, Compiled(model, keras.losses.MeanSquaredError(), optimizer(network))


def trained(network: Network, compiled: Compiled, feed: Line, epochs: int = 1, **options: Any) -> Any:
    defaults = {"validate": None, "monitor": RMSE, "label": "line", "seed": 1}
    return fit(compiled, feed, network, epochs=epochs, **{**defaults, **options})


@pytest.mark.parametrize("monitor", [RMSE, ACCURACY], ids=lambda metric: metric.name)
def test_the_weights_of_the_best_epoch_are_kept(monitor: Metric) -> None:
    network, compiled = linear(restore_weights="best")
    seen: list[NDArray[Any]] = []
    costs = [3.0, 1.0, 2.0, 1.0, 4.0]  # an equally good epoch later on does not count as better
    sign = -1 if monitor.higher_is_better else 1

    def validate() -> dict[str, float]:
        seen.append(trainable(compiled.model)[0])
        return {monitor.name: sign * costs[len(seen) - 1]}

    fitted = trained(network, compiled, Line(compiled), 5, validate=validate, monitor=monitor)
    assert fitted.best_epoch == 2 and [row[f"val_{monitor.name}"] for row in fitted.history] == [
        sign * c for c in costs
    ]
    assert np.array_equal(fitted.weights[0], seen[1]) and not np.array_equal(seen[1], seen[4])
    assert np.array_equal(trainable(compiled.model)[0], seen[1])


def test_the_last_weights_can_be_kept_instead() -> None:
    network, compiled = linear()
    costs = iter([3.0, 1.0, 2.0])
    fitted = trained(network, compiled, feed := Line(compiled), 3, validate=lambda: {"rmse": next(costs)})
    assert fitted.best_epoch == 3 and np.array_equal(fitted.weights[0], feed.weights[-1])


def test_patience_ends_the_training() -> None:
    network, compiled = linear(restore_weights="best", patience=2)
    costs = iter([5.0, 4.0, 4.5, 3.0, 3.0, 3.5, 1.0])
    fitted = trained(network, compiled, Line(compiled), 7, validate=lambda: {"rmse": next(costs)})
    assert fitted.best_epoch == 4 and len(fitted.history) == 6


def test_clipping_bounds_every_update() -> None:
    rate, bound = 0.01, 0.5
    updates = {}
    for name, options in {"none": {}, "norm": {"clip_norm": bound}, "value": {"clip_value": bound}}.items():
        network, compiled = linear(learning_rate=rate, **options)
        feed = Line(compiled, scale=1e4)
        trained(network, compiled, feed)
        updates[name] = np.diff(np.stack(feed.weights)[..., 0], axis=0)
    assert np.abs(updates["none"]).max() > 10 * rate * bound
    np.testing.assert_allclose(np.linalg.norm(updates["norm"], axis=1), rate * bound, rtol=1e-3)
    assert np.abs(updates["value"]).max() <= rate * bound * 1.001
    assert np.linalg.norm(updates["value"], axis=1).max() > rate * bound * 1.2  # each number by itself, not the norm


def test_the_cosine_schedule_rises_to_the_rate_and_falls_to_almost_nothing() -> None:
    network, compiled = linear(schedule="cosine")
    feed = Line(compiled)
    trained(network, compiled, feed, epochs=5)
    rates, steps = np.array(feed.rates), 5 * STEPS
    peak = round(0.05 * steps)
    assert len(rates) == steps and rates.argmax() == peak - 1
    assert rates[0] == pytest.approx(0.01 / peak, rel=1e-3)
    assert rates[peak - 1] == pytest.approx(0.01, rel=0.01)
    assert rates[steps // 2 - 1] == pytest.approx(0.005, rel=0.01)
    assert rates[-1] == pytest.approx(0.01 * 0.001, rel=1e-3)
    assert (np.diff(rates[:peak]) > 0).all() and (np.diff(rates[peak - 1 :]) < 0).all()


def test_a_constant_rate_stays() -> None:
    network, compiled = linear()
    feed = Line(compiled)
    trained(network, compiled, feed, epochs=2)
    assert feed.rates == pytest.approx([0.01] * 2 * STEPS)


def test_the_schedule_is_laid_out_for_all_epochs_when_training_ends_early() -> None:
    network, compiled = linear(schedule="cosine")
    feed = Line(compiled)
    trained(network, compiled, feed, epochs=4, stop=2)
    assert len(feed.rates) == 2 * STEPS and feed.rates[-1] == pytest.approx(0.005, rel=0.01)


def test_the_average_is_that_of_all_steps_and_training_goes_on_from_the_last() -> None:
    network, compiled = linear(ema_momentum=0.9)
    feed, seen = Line(compiled), []

    def validate() -> dict[str, float]:
        seen.append(trainable(compiled.model)[0])
        return {"rmse": -float(len(seen))}

    fitted = trained(network, compiled, feed, 2, validate=validate)
    weights = average = np.array([[1.0], [-2.0], [0.5]])
    expected, step = [], 0
    for _ in range(2):
        for x, y in zip(feed.x, feed.y, strict=True):
            weights = weights - 0.01 * 2 * x.T @ (x @ weights - y) / len(x)
            step += 1
            momentum = min(0.9, (1 + step) / (10 + step))
            average = momentum * average + (1 - momentum) * weights
        expected.append(average)
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    np.testing.assert_allclose(feed.weights[-1], weights, atol=1e-5)
    assert np.abs(average - weights).max() > 1e-3
    assert np.array_equal(fitted.weights[0], seen[1])


def test_a_loss_that_is_not_finite_ends_the_training_with_its_step() -> None:
    network, compiled = linear(learning_rate=1e6)
    with pytest.raises(TrainingError, match=r"line: loss at step \d+ of epoch 1 is (inf|nan); no model is published"):
        trained(network, compiled, Line(compiled))


def test_a_validation_figure_that_is_not_finite_ends_the_training() -> None:
    network, compiled = linear()
    with pytest.raises(TrainingError, match="line: rmse is nan"):
        trained(network, compiled, Line(compiled), validate=lambda: {"rmse": float("nan")})


class Counted:
    """Three batches of 8, 8 and 4 examples."""

    steps = 3

    def batches(self, rng: np.random.Generator) -> Iterator[tuple[Any, Any, None]]:
        for size in (8, 8, 4):
            yield np.ones((size, INPUTS), np.float32), np.ones((size, 1), np.float32), None


def test_the_speed_is_that_of_training_without_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("pipeline.training.fit.time.monotonic", lambda: clock[0])
    network, compiled = linear()
    step = compiled.train

    def two_seconds(x: Any, y: Any, weights: Any) -> float:
        clock[0] += 2.0
        return step(x, y, weights)

    def ten_seconds() -> dict[str, float]:
        clock[0] += 10.0
        return {"accuracy": 0.5}

    monkeypatch.setattr(compiled, "train", two_seconds)
    fitted = fit(
        compiled, Counted(), network, seed=1, epochs=2, validate=ten_seconds, monitor=ACCURACY, label="counted"
    )
    assert [epoch["examples_per_second"] for epoch in fitted.history] == [20 / 6, 20 / 6]
    assert [epoch["seconds"] for epoch in fitted.history] == [16.0, 16.0]


@pytest.mark.parametrize("compiler", [True, False], ids=["compiled", "NumPy"])
def test_all_ways_of_averaging_end_in_the_same_bytes(compiler: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.training.average.compiles", lambda: compiler)
    rng = np.random.default_rng(0)
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(300), keras.layers.LayerNormalization()])
    for _ in range(2):  # the second training begins its average anew
        load(model, [rng.normal(size=w.shape).astype(np.float32) for w in trainable(model)])
        average, expected = Average(model, 0.9), trainable(model)
        for step in range(1, 101):
            load(model, [w + rng.normal(0, 0.01, w.shape).astype(np.float32) for w in trainable(model)])
            average.update()
            share = np.float32(1.0 - min(0.9, (1 + step) / (10 + step)))
            expected = [e + share * (w - e) for e, w in zip(expected, trainable(model), strict=True)]
        last = trainable(model)
        with average:
            assert [w.tobytes() for w in trainable(model)] == [e.tobytes() for e in expected]
        assert [w.tobytes() for w in trainable(model)] == [w.tobytes() for w in last]
