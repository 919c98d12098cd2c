"""A small problem for the textbook's classifiers of texts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.textbook.padded_texts.prepare import positions
from pipeline.tasks.textbook.padded_texts.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import texts
from tests.tasks.records import labelled_texts


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return np.eye(2)[encoded.arrays["labels"][positions(encoded, split)]]


CASE = Case(
    task=TASK,
    record=labelled_texts(),
    row={"tokens": "words", "length": 5, "validation": 0.2},
    network={
        "cell": "lstm",
        "units": 4,
        "embedding": 4,
        "dropout": 0.3,
        "recurrent_input_dropout": 0.2,
        "recurrent_dropout": 0.2,
        "dense": 3,
        "learning_rate": 0.01,
        "batch_size": 8,
    },
    truth=truth,
    odd=texts("a text"),
    trained=Trained(
        name="umich-chapter",
        source="umich",
        dataset={"tokens": "words", "length": 12, "validation": 0.1},
        experiment={"units": 8, "embedding": 8, "epochs": 2, "learning_rate": 0.02},
        figures=frozenset({"accuracy", "accuracy_unseen", "f1", "log_loss"}),
        baselines=frozenset({"majority", "look-up table", "TF-IDF"}),
        fine="it is awesome",
        tested=lambda encoded: int(np.sum(encoded.arrays["split"] == 2)),
        right_or_wrong=True,
        skewed=lambda encoder: encoder | {"length": 6},
    ),
)
