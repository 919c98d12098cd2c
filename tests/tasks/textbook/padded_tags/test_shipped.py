"""The rows of the chapter's taggers: their numbers as printed."""

from typing import Any

import pytest

from tests.shipped import for_rows, settings, shipped

DATA = {"source": "treebank", "protocol": "textbook", "vocabulary": 5_000, "length": 250, "test": 0.2}
NETWORK = {
    "layers": 1, "units": 64, "embedding": 128, "spatial_dropout": 0.2, "recurrent_input_dropout": 0.2,
    "recurrent_dropout": 0.2,
}  # fmt: skip
TRAINING = {
    "optimizer": "adam", "learning_rate": 0.001, "schedule": "constant", "batch_size": 32, "epochs": 1,
    "clip_norm": None, "clip_value": None, "ema_momentum": 0.0, "refit": False,
}  # fmt: skip
CELLS = {
    "treebank-chapter": {"cell": "gru", "bidirectional": False},
    "treebank-chapter-lstm": {"cell": "lstm", "bidirectional": False},
    "treebank-chapter-bilstm": {"cell": "lstm", "bidirectional": True},
}


@pytest.mark.parametrize(("name", "cell"), for_rows(CELLS))
def test_pinned_numbers(name: str, cell: dict[str, Any]) -> None:
    row, expected = shipped().experiments[name], NETWORK | TRAINING | cell
    assert row.task == "padded_tags" and settings(row, expected) == expected
    assert settings(shipped().datasets[row.dataset], DATA) == DATA
