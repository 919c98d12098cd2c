"""The chapter's cosine: the first values of the series as overlapping windows, each with the value after it.

Chapter protocol, with what is wrong in it: see FLAWS, and `nearest training window` among the baselines. The honest
protocol for the same series is the task `forecasting`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError
from pipeline.rows.datasets import CosineWindowsData
from pipeline.tasks.base import Baseline

HEADLINE = "rmse"
MONITOR = "rmse"
BLOCK = 6  # about a period

FLAWS = (
    "validation = test: the figure is that of the windows which every epoch was looked at",
    "a test window is a training window: 44 steps are almost exactly seven periods",
)

Floats = NDArray[np.float64]


def encode(record: Series, row: CosineWindowsData, seed: int) -> Encoded:
    """Arrays <split>_x: float64 [windows, window] and <split>_y: float64 [windows], the value after each window.

    The first windows are the training part; those after them are the validation, and the test as well. Nothing is
    scaled, and nothing drawn.
    """
    del seed
    count = row.training + row.validation_windows
    need = row.window + count
    if len(record.values) < need or not record.valid[:need].all():
        raise DataError(
            f"{row.source}: {count} windows of {row.window} and the value after each take the first {need} values, all"
            f" of them valid; found {int(record.valid[:need].sum())} such values; ask for fewer or shorter windows"
        )
    views = np.lib.stride_tricks.sliding_window_view(record.values[:need], row.window + 1)
    x, y = views[:, :-1].copy(), views[:, -1].copy()
    arrays = {"train_x": x[: row.training], "train_y": y[: row.training]}
    for split in ("validation", "test"):
        arrays |= {f"{split}_x": x[row.training :], f"{split}_y": y[row.training :]}
    examples = {"train": row.training, "validation": row.validation_windows, "test": row.validation_windows}
    summary = {"flaws": list(FLAWS), "findings": dict(record.findings)}
    return Encoded(arrays, {"window": row.window, "unit": record.unit}, examples, summary)


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder, and the latest values, from which a forecast starts when none are given."""
    latest = [*encoded.arrays["test_x"][-1, 1:], encoded.arrays["test_y"][-1]]
    return {**encoded.encoder, "latest": [float(v) for v in latest]}


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """`predictions`: float [windows], the value after each window."""
    error = predictions - encoded.arrays[f"{split}_y"]
    return {"rmse": float(np.sqrt(np.mean(error**2))), "mae": float(np.mean(np.abs(error)))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> Floats:
    """Each test window's squared error over the RMSE of all: what it costs in units of RMSE, which is their mean."""
    squared = np.asarray((predictions - encoded.arrays["test_y"]) ** 2, np.float64)
    rmse = np.sqrt(squared.mean())
    return squared / rmse if rmse else squared


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Mean, last value, what followed the most similar training window, and AR(2), which a cosine obeys exactly."""
    x, y, test = encoded.arrays["train_x"], encoded.arrays["train_y"], encoded.arrays["test_x"]
    distances = ((test[:, None] - x) ** 2).sum(axis=2)
    found = {
        "mean": np.full(len(test), y.mean()),
        "last value": test[:, -1],
        "nearest training window": y[distances.argmin(axis=1)],
        "AR(2)": test[:, -2:] @ np.linalg.lstsq(x[:, -2:], y, rcond=None)[0],
    }
    return {name: Baseline(score(encoded, "test", p), (p,)) for name, p in found.items()}
