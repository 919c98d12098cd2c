"""The rows of the chapter's cosine: their numbers as printed."""

import pytest

from tests.shipped import for_rows, settings, shipped

WINDOWS = {"window": 50, "training": 100, "validation_windows": 50, "protocol": "textbook"}
NETWORK = {"cell": "simple_rnn", "units": 100, "layers": 1, "truncate": 5}
TRAINING = {"optimizer": "sgd", "learning_rate": 1e-4, "clip_value": 10.0, "schedule": "constant", "batch_size": 1}
EPOCHS = {"epochs": 25, "restore_weights": "last", "refit": False}  # how many is our choice


@pytest.mark.parametrize(("name", "positive"), for_rows({"cosine-chapter": False, "cosine-chapter-positive": True}))
def test_pinned_numbers(name: str, positive: bool) -> None:
    row = shipped().experiments[name]
    expected = NETWORK | TRAINING | EPOCHS | {"positive_start": positive}
    assert row.task == "cosine_windows" and settings(row, expected) == expected
    assert settings(shipped().datasets[row.dataset], WINDOWS) == WINDOWS
