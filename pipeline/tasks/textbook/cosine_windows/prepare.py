"""The chapter's cosine: the first values of the series as overlapping windows, each with the value after it.

Chapter protocol, with what is wrong in it: see FLAWS, and `nearest training window` among the baselines. The honest
protocol for the same series is the task `forecasting`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import CosineWindowsData
from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError

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
