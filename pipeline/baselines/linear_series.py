"""Fit linear baselines for series on all data before the test, with the network's inputs and the last values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded

Floats = NDArray[np.float64]
L1_STEPS = 40


def linear_forecasts(encoded: Encoded, origins: NDArray[np.int64]) -> dict[str, Floats]:
    """Forecast float64 [origins, horizons] by least squares and by least absolute error, with a model per horizon."""
    x = design(encoded)
    fits = {"linear (least squares)": _least_squares, "linear (L1)": _least_absolute}
    forecasts = {name: np.empty((len(origins), len(encoded.encoder["horizons"]))) for name in fits}
    for j, horizon in enumerate(encoded.encoder["horizons"]):
        train_origins, y = before_test(encoded, x, horizon)
        for name, fit in fits.items():
            forecasts[name][:, j] = x[origins] @ fit(x[train_origins], y)
    return forecasts


def linear_free_run(encoded: Encoded) -> Floats:
    """Forecast float64 [steps] with the one-step least-squares model, which is fed its own forecasts.

    The series must have no seasonal periods.
    """
    lags, steps = encoded.encoder["lags"], encoded.encoder["free_run"]
    x = design(encoded)[:, [*range(lags), -1]]
    train_origins, y = before_test(encoded, x, 1)
    weights = _least_squares(x[train_origins], y)
    past = list(encoded.arrays["values"][: encoded.encoder["cuts"][1]])
    mean, sd = encoded.encoder["mean"], encoded.encoder["sd"]
    for _ in range(steps):
        newest = (np.array(past[: -lags - 1 : -1]) - mean) / sd
        past.append(float(np.concatenate([newest, [1.0]]) @ weights))
    return np.array(past[-steps:])


def design(encoded: Encoded) -> Floats:
    """Make the design matrix, float64 [time, lags + features + 1]: last `lags` values, other inputs, a constant."""
    inputs = encoded.arrays["inputs"].astype(np.float64)
    # Not from the float32 inputs, in which an exact recursion such as that of a cosine would become inexact.
    scaled = (encoded.arrays["values"] - encoded.encoder["mean"]) / encoded.encoder["sd"]
    lags = [np.concatenate([np.full(k, np.nan), scaled[: len(scaled) - k]]) for k in range(encoded.encoder["lags"])]
    return np.column_stack([*lags, inputs[:, 1:], np.ones(len(inputs))])


def before_test(encoded: Encoded, x: Floats, horizon: int) -> tuple[NDArray[np.int64], Floats]:
    """Return the origins, and their targets, whose target is valid and before the test and whose past is complete."""
    at = np.arange(encoded.encoder["cuts"][1] - horizon)
    usable = at[encoded.arrays["valid"][at + horizon] & ~np.isnan(x[at]).any(axis=1)]
    return usable, encoded.arrays["values"][usable + horizon]


def _least_squares(x: Floats, y: Floats) -> Floats:
    return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0])


def _least_absolute(x: Floats, y: Floats) -> Floats:
    """Minimise the absolute error by iteratively reweighted least squares, with a residual floor that shrinks."""
    weights = _least_squares(x, y)
    spread = float(np.std(y - x @ weights)) + 1e-12
    ridge = 1e-9 * np.eye(x.shape[1])
    for i in range(L1_STEPS):
        residual: Any = np.abs(y - x @ weights)
        weighted = x / np.maximum(residual, spread * max(1e-4, 0.1 * 0.8**i))[:, None]
        gram = x.T @ weighted
        weights = np.linalg.solve(gram + ridge * np.trace(gram) / len(gram), weighted.T @ y)
    return weights
