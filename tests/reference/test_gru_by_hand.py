"""Check each gate in one step of a GRU with five inputs and three units: by hand, and measured from Keras' cell.

`pytest -s` prints the gates.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.layers import keras
from pipeline.reference.cells import GRU, Floats, GruTrace, Weights

FEATURES, UNITS = 5, 3
Z, R, N = (slice(i * UNITS, (i + 1) * UNITS) for i in range(3))


def made() -> tuple[Floats, Floats, Weights]:
    """Return random x [1, 5], h [1, 3] and weights."""
    rng = np.random.default_rng(12)
    weights = Weights(*(rng.normal(scale=0.5, size=size) for size in ((FEATURES, 9), (UNITS, 9), (2, 9))))
    return rng.normal(size=(1, FEATURES)), rng.normal(size=(1, UNITS)), weights


def keras_step(x: Floats, h: Floats, weights: Weights) -> Floats:
    cell = keras.layers.GRUCell(UNITS, dtype="float64")
    cell.build((None, FEATURES))
    cell.set_weights(weights)
    return np.asarray(cell(keras.ops.convert_to_tensor(x), [keras.ops.convert_to_tensor(h)])[0])


def changed(weights: Weights, part: slice, bias: float, *, recurrent_bias: float | None = None) -> Weights:
    """Set the columns of one gate to zero, and its bias to `bias`."""
    new = Weights(*(w.copy() for w in weights))
    for w in new:
        w[..., part] = 0.0
    new.bias[0, part] = bias
    if recurrent_bias is not None:
        new.bias[1, part] = recurrent_bias
    return new


def gates_of_keras(x: Floats, h: Floats, weights: Weights) -> dict[str, Floats]:
    """Measure the gates of Keras, which does not return them.

    With a candidate of 0 the output is z h; with an update gate of 0 it is the candidate; and a candidate whose only
    input is a bias after the reset gate is tanh(r × bias).
    """
    closed = changed(weights, Z, -1e3)
    return {
        "update gate z": keras_step(x, h, changed(weights, N, 0.0)) / h,
        "reset gate r": np.arctanh(keras_step(x, h, changed(closed, N, 0.0, recurrent_bias=0.5))) / 0.5,
        "candidate n": keras_step(x, h, closed),
        "output h'": keras_step(x, h, weights),
    }


def by_hand(x: Floats, h: Floats, w: Weights) -> dict[str, Floats]:
    """Compute each equation on a line of its own, without the project's code."""
    z = 1 / (1 + np.exp(-(x @ w.kernel[:, Z] + w.bias[0, Z] + h @ w.recurrent[:, Z] + w.bias[1, Z])))
    r = 1 / (1 + np.exp(-(x @ w.kernel[:, R] + w.bias[0, R] + h @ w.recurrent[:, R] + w.bias[1, R])))
    n = np.tanh(x @ w.kernel[:, N] + w.bias[0, N] + r * (h @ w.recurrent[:, N] + w.bias[1, N]))
    return {"update gate z": z, "reset gate r": r, "candidate n": n, "output h'": z * h + (1 - z) * n}


@pytest.mark.parametrize("other", [by_hand, gates_of_keras])
def test_the_gates_are_those_by_hand_and_those_of_keras(other: Any) -> None:
    x, h, weights = made()
    state, trace = GRU().step(x, h[None], weights)
    assert isinstance(trace, GruTrace)
    gates = {"update gate z": trace.update, "reset gate r": trace.reset, "candidate n": trace.candidate}
    gates["output h'"] = state[0]
    expected = other(x, h, weights)
    for name, values in gates.items():
        print(f"{name:14}", np.array2string(values[0], precision=6), "Keras" if other is gates_of_keras else "by hand")
        assert values.shape == (1, UNITS)
        np.testing.assert_allclose(values, expected[name], rtol=1e-9)
    assert 0.01 < trace.update.min() < trace.update.max() < 0.99, "the gate is not saturated"


def test_the_example_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "from-scratch.md").read_text(encoding="utf-8")
    block = text[text.index("    import numpy") : text.index("## How it is checked")]
    variables: dict[str, Any] = {}
    exec("\n".join(line[4:] for line in block.splitlines()), variables)
    expected = by_hand(variables["x"], variables["h"], variables["weights"])
    np.testing.assert_allclose(variables["trace"].update, expected["update gate z"])
    np.testing.assert_allclose(variables["state"][0], expected["output h'"])


def test_the_blend() -> None:
    """An update gate of 1 keeps the previous output, one of 0 takes the candidate; a reset gate of 0 hides h."""
    x, h, weights = made()
    kept, _ = GRU().step(x, h[None], changed(weights, Z, 1e3))
    np.testing.assert_allclose(kept[0], h)
    taken, trace = GRU().step(x, h[None], changed(weights, Z, -1e3))
    np.testing.assert_allclose(taken[0], trace.candidate)
    blind = changed(weights, R, -1e3)
    np.testing.assert_allclose(
        GRU().step(x, h[None], blind)[1].candidate, np.tanh(x @ weights.kernel[:, N] + weights.bias[0, N])
    )
