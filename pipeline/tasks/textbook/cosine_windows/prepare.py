"""Prepare a cosine for cosine_windows, by the textbook's protocol: overlapping windows, each with the value after it.

For the flaws of the protocol see FLAWS, and `nearest training window` among the baselines. The task `forecasting` has a
held-out protocol for the same series.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import CosineWindowsData
from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError
from pipeline.evaluation.network import Predicting

FLAWS = (
    "validation = test: the figure is of the windows that every epoch is judged on",
    "a test window is a training window: 44 steps are almost exactly seven periods",
)
Floats = NDArray[np.float64]


def encode(record: Series, row: CosineWindowsData, seed: int) -> Encoded:
    """Return the arrays <split>_x: float64 [windows, window] and <split>_y: float64 [windows], the value after each.

    The first windows are the training part. The windows after them are both validation and test. Nothing is scaled, and
    nothing is drawn at random.
    """
    del seed
    count = row.training + row.validation_windows
    need = row.window + count
    if len(record.values) < need or not record.valid[:need].all():
        raise DataError(
            f"{row.source}: {count} windows of {row.window} and the value after each need {need} valid values at the"
            f" start; found {int(record.valid[:need].sum())}; set fewer or shorter windows"
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
    """Return the encoder with the latest values, which a forecast without input continues."""
    latest = [*encoded.arrays["test_x"][-1, 1:], encoded.arrays["test_y"][-1]]
    return {**encoded.encoder, "latest": [float(v) for v in latest]}


def after(model: Predicting, windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float64 [windows]: the value after each of `windows`, float64 [windows, window]."""
    return np.asarray(model.predict(windows[..., None])[:, -1, 0], np.float64)
