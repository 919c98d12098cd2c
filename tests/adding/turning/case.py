"""A small problem for the task that tests/test_adding.py adds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pipeline.tasks.turning.task import TASK

from pipeline.encoding.records import Encoded, Series
from tests.tasks.case import Case, Trained
from tests.tasks.odd import NUMBERS, answered, refused


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return encoded.arrays[f"{split}_y"].astype(np.float64)


CASE = Case(
    task=TASK,
    record=Series(np.sin(np.arange(400) / 5) + 0.1 * np.random.default_rng(0).normal(size=400), np.ones(400, bool), ""),
    row={"window": 6},
    network={"units": 4, "learning_rate": 0.01, "batch_size": 8},
    truth=truth,
    odd=(
        *answered("", None, [], {}, {"values": NUMBERS}, {"values": [1e30] * 20}),
        *refused("^values: needs ", "x", 5, NUMBERS, {"x": 1}, {"values": "x"}, {"values": ["x"]}),
        *refused("^values: needs ", {"values": 5}, {"values": [1.0]}, {"values": [float("nan")] * 20}),
    ),
    trained=Trained(
        name="turning",
        source="cosine",
        dataset={"window": 7},
        experiment={"units": 4, "epochs": 1, "learning_rate": 0.01, "batch_size": 8},
        figures=frozenset({"turn_accuracy"}),
        baselines=frozenset({"majority", "last step"}),
        fine={"values": NUMBERS},
        tested=lambda encoded: len(encoded.arrays["test_y"]),
        skewed=lambda encoder: encoder | {"mean": encoder["mean"] + 0.1},
    ),
)
