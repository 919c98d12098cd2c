"""A small problem for classifiers of texts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, Encoded
from pipeline.tasks.sentiment.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import texts
from tests.tasks.records import labelled_texts


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    which = encoded.arrays["split"][fold] == SPLITS.index(split)
    return np.eye(len(encoded.encoder["label_names"]))[encoded.arrays["labels"][which]]


CASE = Case(
    task=TASK,
    record=labelled_texts(),
    row={"folds": 3, "bigrams": True, "char_ngrams": 3},
    network={
        "units": 4,
        "embedding": 4,
        "bidirectional": True,
        "dropout": 0.3,
        "word_dropout": 0.5,
        "ema_momentum": 0.9,
        "learning_rate": 0.01,
        "schedule": "cosine",
        "batch_size": 8,
    },
    truth=truth,
    odd=texts("a text"),
    trained=Trained(
        name="umich",
        source="umich",
        dataset={"folds": 2, "bigrams": True, "char_ngrams": 3, "min_count": 2, "binary": True},
        experiment={
            "units": 8,
            "embedding": 8,
            "bidirectional": True,
            "epochs": 2,
            "learning_rate": 0.02,
            "refit": True,
        },
        figures=frozenset({"accuracy", "f1", "log_loss"}),
        baselines=frozenset({"TF-IDF"}),
        fine="it is awesome",
        tested=lambda encoded: len(encoded.arrays["labels"]),  # every text is tested once, in its fold
        networks=((3, 0), (3, 1)),
        right_or_wrong=True,
        skewed=lambda encoder: encoder | {"bigrams": False},
    ),
)
