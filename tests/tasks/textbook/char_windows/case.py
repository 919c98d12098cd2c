"""A small problem for the textbook's character models."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.textbook.char_windows.task import TASK
from tests.tasks.case import Case, Trained
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
    trained=Trained(
        name="alice-chapter",
        source="alice",
        dataset={"window": 8, "stride": 5},
        experiment={
            "cell": "simple_rnn",
            "units": 16,
            "epochs": 2,
            "learning_rate": 0.01,
            "restore_weights": "last",
        },
        figures=frozenset({"bits_per_char", "window_accuracy"}),
        baselines=frozenset({"1-gram of the same text", "8-gram of the same text"}),
        fine="alice was",
        tested=lambda encoded: len(encoded.arrays["sample"]),
        tested_on_validation=True,
    ),
)
