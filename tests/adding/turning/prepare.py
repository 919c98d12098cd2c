"""Split by time, scale by the training part, and cut windows with the direction of the next step."""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from pipeline.config.schema.datasets import TurningData
from pipeline.encoding.records import SPLITS, Encoded, Series


def encode(record: Series, row: TurningData, seed: int) -> Encoded:
    """Arrays for each split: `<split>_x` float32 [windows, window], `<split>_y` int32 [windows], 1 where it goes up."""
    del seed  # the split is by time
    n, window = len(record.values), row.window
    edges = [0, round(0.8 * n), round(0.9 * n), n]
    train = record.values[: edges[1]]
    encoder: dict[str, Any] = {"window": window, "mean": float(train.mean()), "sd": float(train.std())}
    encoder["latest"] = record.values[-window:].tolist()
    arrays = {}
    for name, start, end in zip(SPLITS, edges, edges[1:], strict=False):
        part = (record.values[start:end] - encoder["mean"]) / encoder["sd"]
        arrays[f"{name}_x"] = sliding_window_view(part, window)[:-1].astype(np.float32)
        arrays[f"{name}_y"] = (part[window:] > part[window - 1 : -1]).astype(np.int32)
    examples = {name: len(arrays[f"{name}_y"]) for name in SPLITS}
    return Encoded(arrays, encoder, examples, {"findings": dict(record.findings)})


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder, which is fitted on the training part alone."""
    return dict(encoded.encoder)
