"""The rows of the chapters' text classifiers: their numbers as printed."""

from typing import Any

import pytest

from tests.shipped import for_rows, needs_rows, settings, shipped

PLAIN = {
    "layers": 1,
    "bidirectional": False,
    "spatial_dropout": 0.0,
    "recurrent_input_dropout": 0.0,
    "recurrent_dropout": 0.0,
    "dropout": 0.0,
}


def is_pinned(name: str, dataset: dict[str, Any], experiment: dict[str, Any]) -> None:
    row = shipped().experiments[name]
    assert settings(shipped().datasets[row.dataset], dataset) == dataset
    assert settings(row, experiment) == experiment


@needs_rows("umich-chapter")
def test_pinned_numbers_of_umich() -> None:
    split = {"tokens": "nltk", "vocabulary": 2000, "length": 40, "test": 0.2, "validation": 0.0, "protocol": "textbook"}
    training = {
        "optimizer": "adam", "learning_rate": 0.001, "batch_size": 32, "epochs": 10, "restore_weights": "last",
    }  # fmt: skip
    network = {
        "cell": "lstm", "embedding": 128, "spatial_dropout": 0.2, "units": 64, "recurrent_input_dropout": 0.2,
        "recurrent_dropout": 0.2, "dense": None, "layers": 1, "bidirectional": False,
    }  # fmt: skip
    is_pinned("umich-chapter", split, training | network)


LSTM = {
    "imdb-chapter-lstm": {},
    "imdb-chapter-lstm-stacked": {"layers": 2},
    "imdb-chapter-lstm-bidirectional": {"bidirectional": True},
}


@pytest.mark.parametrize(("name", "different"), for_rows(LSTM))
def test_pinned_numbers_of_imdb_with_lstm(name: str, different: dict[str, Any]) -> None:
    split = {"tokens": "emoticons", "vocabulary": None, "length": None, "validation": 0.2, "protocol": "textbook"}
    network = {"cell": "lstm", "embedding": 32, "units": 50, "dense": 32, **PLAIN, **different}
    training = {
        "optimizer": "adam", "learning_rate": 0.003, "batch_size": 32, "epochs": 10, "restore_weights": "last",
    }  # fmt: skip
    assert shipped().experiments[name].dataset == "imdb-chapter"
    is_pinned(name, split, network | training)


@pytest.mark.parametrize(
    ("name", "cell"), for_rows({"imdb-chapter-gru": "gru", "imdb-chapter-simple-rnn": "simple_rnn"})
)
def test_pinned_numbers_of_imdb_in_500_words(name: str, cell: str) -> None:
    split = {"tokens": "words", "vocabulary": 10_000, "length": 500, "validation": 0.2, "protocol": "textbook"}
    network = {"cell": cell, "embedding": 32, "units": 32, "dense": None, **PLAIN}
    training = {
        "optimizer": "rmsprop", "learning_rate": 0.001, "batch_size": 128, "epochs": 10, "restore_weights": "best",
    }  # fmt: skip
    assert shipped().experiments[name].dataset == "imdb-chapter-500"
    is_pinned(name, split, network | training)
