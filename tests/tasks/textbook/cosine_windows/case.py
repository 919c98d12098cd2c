"""A small problem for the textbook's forecasters in NumPy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, Series
from pipeline.tasks.textbook.cosine_windows.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import NO_SERIES, NUMBERS, answered, refused


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return encoded.arrays[f"{split}_y"]


CASE = Case(
    task=TASK,
    record=Series(np.cos(np.arange(46)), np.ones(46, np.bool_), ""),
    row={"window": 6, "training": 30, "validation_windows": 10},
    network={"units": 4, "learning_rate": 0.01, "clip_norm": None, "clip_value": 1.0, "batch_size": 8},
    truth=truth,
    odd=(
        *NO_SERIES,
        *answered({"values": NUMBERS}, {"values": [1e300] * 200}),
        *refused(
            r"^values: found numbers of shape .*; at least \d+ are needed, in one row, all finite$",
            *({"values": values} for values in (5, None, [], [1.0, 2.0], [[1.0], [2.0]])),
            {"values": [float("nan")] * 60},
        ),
    ),
    odd_options=tuple({"steps": value} for value in (0, -1, 10**12, "x", None, True, float("nan"), [])),
    trained=Trained(
        name="cosine",
        source="cosine",
        dataset={},
        experiment={"cell": "simple_rnn", "units": 8, "learning_rate": 0.01, "epochs": 1},
        figures=frozenset({"rmse", "mae"}),
        baselines=frozenset({"mean", "last value", "nearest training window", "AR(2)"}),
        fine={"values": [float(np.cos(i)) for i in range(60)]},
        tested=lambda encoded: len(encoded.arrays["test_y"]),
        tested_on_validation=True,
    ),
)
