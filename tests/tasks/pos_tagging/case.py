"""A small problem for part-of-speech taggers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.pos_tagging.prepare import in_split
from pipeline.tasks.pos_tagging.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import EMPTY_TEXTS, LONG_TEXT, STRANGE_TEXTS, answered, not_text, refused
from tests.tasks.records import tagged_sentences


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return encoded.arrays["tags"][in_split(encoded, split)]


CASE = Case(
    task=TASK,
    record=tagged_sentences(),
    row={},
    network={
        "cell": "lstm",
        "units": 4,
        "embedding": 4,
        "bidirectional": True,
        "dropout": 0.3,
        "spatial_dropout": 0.2,
        "word_dropout": 0.5,
        "learning_rate": 0.01,
        "batch_size": 8,
    },
    truth=truth,
    odd=(
        *answered(*STRANGE_TEXTS, LONG_TEXT),
        *refused("^input 0: no words", *EMPTY_TEXTS),
        *not_text("a sentence"),
    ),
    trained=Trained(
        name="treebank",
        source="treebank",
        dataset={},
        experiment={
            "cell": "lstm",
            "units": 8,
            "embedding": 8,
            "bidirectional": True,
            "epochs": 2,
            "learning_rate": 0.02,
        },
        figures=frozenset({"token_accuracy", "oov_accuracy", "sentence_accuracy"}),
        baselines=frozenset({"most frequent tag", "averaged perceptron", "CRF"}),
        fine="the old man the boat .",
        tested=lambda encoded: int(np.diff(encoded.arrays["offsets"])[encoded.arrays["split"][0] == 2].sum()),
        skewed=lambda encoder: encoder | {"ids": {k: v for k, v in encoder["ids"].items() if "suffix" not in k}},
    ),
)
