"""A small problem for the task that tests/test_adding.py adds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pipeline.tasks.turning.task import TASK

from pipeline.encoding.records import Encoded, Series
from tests.tasks.case import Case


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return encoded.arrays[f"{split}_y"].astype(np.float64)


CASE = Case(
    task=TASK,
    record=Series(np.sin(np.arange(400) / 5) + 0.1 * np.random.default_rng(0).normal(size=400), np.ones(400, bool), ""),
    row={"window": 6},
    network={"units": 4, "learning_rate": 0.01, "batch_size": 8},
    truth=truth,
    odd=(),
)
