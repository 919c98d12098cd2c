"""One graph for training and one for predicting: dropout acts in the first alone, and weights count as they say."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.networks import Network
from pipeline.layers import keras
from pipeline.training.compiled import Compiled
from pipeline.training.fit import load, optimizer, trainable

X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
Y = (X @ [[1.0], [-2.0], [0.5]] + 1.0).astype(np.float32)
START = [np.array([[0.3], [0.1], [-0.2]], np.float32)]


def compiled(rate: float, **options: Any) -> Compiled:
    plain = {"optimizer": "sgd", "learning_rate": 0.1, "clip_norm": None}
    network = Network.model_validate({"dataset": "made-up", **plain, **options})
    x = keras.Input((3,))
    dropped = keras.layers.Dropout(rate, seed=1)(x) if rate else x
    model = keras.Model(x, keras.layers.Dense(1, use_bias=False)(dropped))
    load(model, START)
    return Compiled(model, keras.losses.MeanSquaredError(), optimizer(network))


def squares(weights: Any) -> Any:
    return (X @ weights - Y)[:, 0] ** 2


@pytest.fixture(scope="module")
def networks() -> dict[float, Compiled]:
    return {rate: compiled(rate) for rate in (0.0, 0.9)}


def test_dropout_acts_in_training(networks: dict[float, Compiled]) -> None:
    for network in networks.values():
        load(network.model, START)
    losses = {rate: [network.train(X, Y, None) for _ in range(2)] for rate, network in networks.items()}
    assert losses[0.0][0] == pytest.approx(squares(START[0]).mean(), rel=1e-5)
    for plain, thinned in zip(losses[0.0], losses[0.9], strict=True):
        assert abs(plain - thinned) > 0.5
    assert np.abs(trainable(networks[0.0].model)[0] - trainable(networks[0.9].model)[0]).max() > 0.1


def test_dropout_draws_anew_in_each_step_and_is_off_in_predictions(networks: dict[float, Compiled]) -> None:
    network = networks[0.9]
    seen = []
    for _ in range(4):
        load(network.model, START)
        np.testing.assert_allclose(network.predict(X), X @ START[0], rtol=1e-5, atol=1e-6)
        seen.append(network.train(X, Y, None))
    assert len(set(seen)) == 4


def test_a_step_goes_down_the_gradient_and_returns_the_loss_before_it() -> None:
    network = compiled(0.0)
    assert network.train(X, Y, None) == pytest.approx(squares(START[0]).mean(), rel=1e-5)
    gradient = 2 * X.T @ (X @ START[0] - Y) / len(X)
    np.testing.assert_allclose(trainable(network.model)[0], START[0] - 0.1 * gradient, rtol=1e-4)


def test_the_weights_of_examples_count() -> None:
    weights = np.where(np.arange(64) < 16, 3.0, 0.0).astype(np.float32)
    network = compiled(0.0)
    loss = network.train(X, Y, weights)
    assert loss == pytest.approx(3.0 * squares(START[0])[:16].sum() / 64, rel=1e-5)
    gradient = 2 * 3.0 * X[:16].T @ (X[:16] @ START[0] - Y[:16]) / 64
    np.testing.assert_allclose(trainable(network.model)[0], START[0] - 0.1 * gradient, rtol=1e-4)


@pytest.mark.parametrize(("kind", "decay"), [("sgd", 0.5), ("adamw", 0.25), ("adam", 0.5), ("rmsprop", 0.5)])
def test_weight_decay_pulls_the_weights_to_zero(kind: str, decay: float) -> None:
    """Decoupled (Loshchilov and Hutter 2019): a step also takes rate × decay of the weights, or none."""
    after = {}
    for wanted in (0.0, decay):
        network = compiled(0.0, optimizer=kind, weight_decay=wanted)
        network.train(X, Y, None)
        after[wanted] = trainable(network.model)[0]
    np.testing.assert_allclose(after[decay] - after[0.0], -0.1 * decay * START[0], rtol=2e-3, atol=1e-6)


def test_an_optimiser_is_the_one_that_the_row_names() -> None:
    """The first step of a weight with the gradient g: rate × g, or about rate × ± 1 whatever g is."""
    gradient = 2 * X.T @ (X @ START[0] - Y) / len(X)
    first = {"sgd": gradient, "adam": np.sign(gradient), "rmsprop": np.sign(gradient) / np.sqrt(0.1)}
    for kind, step in first.items():
        network = compiled(0.0, optimizer=kind)
        network.train(X, Y, None)
        np.testing.assert_allclose(trainable(network.model)[0], START[0] - 0.1 * step, rtol=1e-3, atol=1e-4)


def test_the_gradients_of_all_weights_are_clipped_together() -> None:
    """Pascanu et al. 2013: one norm for all; each weight by itself would turn the gradient's direction."""
    row = {"dataset": "made-up", "optimizer": "sgd", "learning_rate": 0.1, "clip_norm": 0.5}
    x = keras.Input((3,))
    model = keras.Model(x, keras.layers.Dense(1)(x))
    load(model, [START[0], np.array([4.0], np.float32)])
    network = Compiled(model, keras.losses.MeanSquaredError(), optimizer(Network.model_validate(row)))
    network.train(X, Y, None)
    error = X @ START[0] + 4.0 - Y
    gradient = np.concatenate([2 * X.T @ error / len(X), [[2 * error.mean()]]])[:, 0]
    assert np.linalg.norm(gradient[:3]) > 0.5 and abs(gradient[3]) > 0.5
    weights, bias = trainable(model)
    moved = np.concatenate([weights[:, 0] - START[0][:, 0], bias - 4.0])
    np.testing.assert_allclose(moved, -0.1 * 0.5 * gradient / np.linalg.norm(gradient), rtol=1e-3)
