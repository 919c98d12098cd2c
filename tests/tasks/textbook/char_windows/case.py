"""A small problem for the textbook's character models."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.textbook.char_windows.task import TASK
from tests.tasks.case import Case
from tests.tasks.odd import texts
from tests.tasks.records import running_text


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return np.tile([0.0, 1.0], (len(encoded.arrays["sample"]), 1))


CASE = Case(
    task=TASK,
    record=running_text(),
    row={"window": 6, "stride": 5},
    network={
        "units": 4,
        "embedding": 4,
        "dropout": 0.3,
        "optimizer": "rmsprop",
        "learning_rate": 0.01,
        "batch_size": 8,
    },
    truth=truth,
    odd=texts("a prompt"),
)
