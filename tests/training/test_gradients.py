"""The gradient by distance: against differences of the loss, where it must vanish, and where it must explode."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.networks import CharLmNetwork
from pipeline.layers.cells import CELLS
from pipeline.tasks.char_lm.network import build
from pipeline.training.fit import load, trainable
from pipeline.training.gradients import STATES, by_state

ENCODER = {"symbols": [str(i) for i in range(9)]}
IDS = np.random.default_rng(0).integers(0, 9, (4, 31)).astype(np.int32)
X, Y = IDS[:, :-1], IDS[:, 1:]


def model(cell: str, units: int = 6) -> Any:
    network = CharLmNetwork(
        dataset="made-up", task="char_lm", cell=cell, units=units, embedding=4, layers=1, stateful=False
    )
    return build(network, ENCODER)


def measured(net: Any, clip_norm: float = 1.0) -> Any:
    weights = trainable(net)
    return by_state(net, weights, weights, X, Y, clip_norm)


@pytest.mark.parametrize("cell", CELLS)
def test_the_gradient_is_the_slope_of_the_last_loss(cell: str) -> None:
    # The embedding of an id that stands at one place only moves the loss as that place's gradient says.
    net = model(cell)
    x = np.tile(np.arange(3, 9, dtype=np.int32), (1, 1))
    y = np.zeros_like(x)
    weights = trainable(net)
    norms = by_state(net, weights, weights, x, y, 1.0)[0]

    def loss(table: Any) -> float:
        load(net, [table, *weights[1:]])
        logits = np.asarray(net(x), np.float64)[0, -1]
        return float(np.log(np.exp(logits).sum()) - logits[0])

    for distance in (0, 2):
        slopes = []
        for unit in range(4):
            up, down = weights[0].copy(), weights[0].copy()
            up[8 - distance, unit] += 1e-2
            down[8 - distance, unit] -= 1e-2
            slopes.append((loss(up) - loss(down)) / 2e-2)
        assert norms[distance] == pytest.approx(np.linalg.norm(slopes), rel=0.02, abs=1e-5)


def test_without_recurrent_weights_nothing_reaches_back() -> None:
    net = model("simple_rnn")
    load(
        net,
        [
            w * 0 if "recurrent_kernel" in v.path else w
            for v, w in zip(net.trainable_variables, trainable(net), strict=True)
        ],
    )
    norms = measured(net)
    assert norms.shape == (len(STATES), 30)
    assert (norms[0, 0] > 0) and np.array_equal(norms[0, 1:], np.zeros(29))


def test_gradients_vanish_at_first_and_explode_with_large_recurrent_weights() -> None:
    net = model("simple_rnn", units=32)
    load(net, [0.3 * w for w in trainable(net)])
    norms = measured(net)
    assert norms[0, 25] < 1e-6 * norms[0, 0]  # recurrent weights of norm 0.3
    load(
        net,
        [
            w if "recurrent" in v.path else 0.01 * w
            for v, w in zip(model("simple_rnn", 32).trainable_variables, trainable(net), strict=True)
        ],
    )
    large = [
        3.5 * w if "recurrent" in v.path else w for v, w in zip(net.trainable_variables, trainable(net), strict=True)
    ]
    load(net, large)
    norms = measured(net)
    assert norms[2, 8] > 10 * norms[2, 0]


def test_the_enlarged_line_is_that_of_a_network_with_three_times_the_recurrent_weights() -> None:
    net = model("simple_rnn")
    weights = zip(net.trainable_variables, trainable(net), strict=True)
    three_times = [3.0 * w if v.path.endswith("/recurrent_kernel") else w for v, w in weights]
    enlarged = measured(net)[2]
    load(net, three_times)
    np.testing.assert_allclose(measured(net)[0], enlarged, rtol=1e-5)


def test_clipping_lowers_a_line_as_a_whole() -> None:
    norms = measured(model("lstm"), clip_norm=1e-3)
    share = norms[3] / norms[2]
    assert share[0] < 0.1 and np.allclose(share, share[0])
    assert np.array_equal(*measured(model("lstm"), clip_norm=1e6)[2:])
