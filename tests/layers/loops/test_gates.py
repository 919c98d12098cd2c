"""The activations are NumPy's in float64, within 2e-7, also where they are saturated."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.layers.loops import gates

X = np.concatenate([np.linspace(-100, 100, 4001), np.linspace(-1, 1, 4001), [0.0, -1e-8, 1e-30, -1e30, 1e30]])


def each(function: Any, x: Any) -> Any:
    return np.array([function(np.float32(value)) for value in x], np.float64)


@pytest.mark.parametrize(
    ("function", "exact"),
    [(gates.sigmoid, lambda x: 1 / (1 + np.exp(-x))), (gates.tanh, np.tanh)],
    ids=["sigmoid", "tanh"],
)
def test_the_error_is_below_two_ten_millionths(function: Any, exact: Callable[[Any], Any]) -> None:
    with np.errstate(over="ignore"):
        expected = exact(X.astype(np.float32).astype(np.float64))
    assert np.abs(each(function, X) - expected).max() < 2e-7


def test_tanh_keeps_its_digits_near_zero() -> None:
    small = np.array([1e-7, 1e-4, -1e-2, 0.1, 0.34], np.float32)
    np.testing.assert_allclose(each(gates.tanh, small), np.tanh(small.astype(np.float64)), rtol=2e-7)


def test_exp_is_neither_zero_nor_infinite() -> None:
    found = each(gates.exp, [-1e30, -87.0, 0.0, 1.0, 87.0, 1e30])
    np.testing.assert_allclose(found[1:5], np.exp([-87.0, 0.0, 1.0, 87.0]), rtol=1e-6)
    assert found[0] > 0 and np.isfinite(found).all()
