"""A small problem for the textbook's taggers."""

from typing import Any

from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.textbook.padded_tags.prepare import in_split
from pipeline.tasks.textbook.padded_tags.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import EMPTY_TEXTS, LONG_TEXT, STRANGE_TEXTS, answered, not_text, refused
from tests.tasks.records import tagged_sentences


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return encoded.arrays["tags"][in_split(encoded, split)]


CASE = Case(
    task=TASK,
    record=tagged_sentences(),
    row={"length": 12},
    network={
        "units": 4,
        "embedding": 4,
        "recurrent_dropout": 0.2,
        "learning_rate": 0.01,
        "batch_size": 8,
    },
    truth=truth,
    odd=(
        *answered(*STRANGE_TEXTS),
        *refused("^input 0: no words", *EMPTY_TEXTS),
        *refused(r"^input 0: 20000 words; the network reads at most \d+$", LONG_TEXT),
        *not_text("a sentence"),
    ),
    trained=Trained(
        name="treebank-chapter",
        source="treebank",
        dataset={"length": 48, "protocol": "textbook"},
        experiment={"units": 8, "embedding": 8, "epochs": 2, "learning_rate": 0.05},
        figures=frozenset({"padded_accuracy", "token_accuracy"}),
        baselines=frozenset({"always tag 0", "most frequent tag"}),
        fine="the old man the boat .",
        tested=lambda encoded: int(in_split(encoded, "test").sum()),
        tested_on_validation=True,
    ),
)
