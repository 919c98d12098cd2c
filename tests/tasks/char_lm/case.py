"""A small problem for character language models."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.char_lm.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import texts
from tests.tasks.records import running_text


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return np.zeros(len(encoded.arrays[split]))


CASE = Case(
    task=TASK,
    record=running_text(),
    row={},
    network={
        "units": 4,
        "embedding": 4,
        "stateful": True,
        "dropout": 0.3,
        "input_dropout": 0.2,
        "learning_rate": 0.01,
        "clip_norm": 1.0,
        "batch_size": 8,
        "time_steps": 40,
    },
    truth=truth,
    odd=texts("a prompt"),
    odd_options=(
        *({"length": value} for value in (0, -1, 10**9, "x", None, float("nan"), float("inf"), [])),
        *({"temperature": value} for value in (-1.0, 11.0, float("nan"), float("inf"), "x", None)),
        *({"top_p": value} for value in (0.0, -1.0, 1.1, float("nan"), "x", None)),
        *({"seed": value} for value in (-1, "x", None, 2**70)),
        *({"score": value} for value in (1, "yes", None, [])),
    ),
    trained=Trained(
        name="alice",
        source="alice",
        dataset={},
        experiment={
            "units": 24,
            "embedding": 8,
            "stateful": True,
            "epochs": 1,
            "learning_rate": 0.01,
            "refit": True,
            "adaptive_rate": 0.001,
        },
        figures=frozenset({"bits_per_char", "bits_per_char_adaptive"}),
        baselines=frozenset({"-gram", "PPMd", "bz2"}),
        fine="alice was",
        tested=lambda encoded: len(encoded.arrays["test"]),
        skewed=lambda encoder: encoder | {"symbols": [*encoder["symbols"][:2], *encoder["symbols"][:1:-1]]},
    ),
)
