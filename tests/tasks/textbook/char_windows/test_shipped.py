"""The rows of the chapters' character models: their numbers as printed."""

from typing import Any

import pytest

from pipeline.sources import load_source
from pipeline.tasks.textbook.char_windows.prepare import encode
from tests.mirror import MIRROR, needs_mirror
from tests.shipped import for_rows, settings, shipped

WINDOWS = {
    "alice-chapter": {"window": 10, "stride": 1, "target": "next"},
    "warpeace-chapter": {"window": 40, "stride": 1, "target": "sequence"},
    "sonnets-chapter": {"window": 40, "stride": 3, "target": "next"},
}


@pytest.mark.parametrize(("name", "expected"), for_rows(WINDOWS))
def test_windows_are_the_chapters(name: str, expected: dict[str, Any]) -> None:
    row = shipped().datasets[shipped().experiments[name].dataset]
    assert row.task == "char_windows" and row.protocol == "textbook"
    assert settings(row, expected) == expected


NETWORKS = {
    "alice-chapter": {"cell": "simple_rnn", "units": 128, "embedding": 0, "steps_per_epoch": None},
    "warpeace-chapter": {"cell": "lstm", "units": 512, "embedding": 256, "steps_per_epoch": 500},
    "sonnets-chapter": {"cell": "gru", "units": 128, "embedding": 0, "steps_per_epoch": None},
}
TRAININGS = {
    "alice-chapter": {"optimizer": "rmsprop", "learning_rate": 0.001, "batch_size": 128, "epochs": 25},
    "warpeace-chapter": {"optimizer": "adam", "learning_rate": 0.003, "batch_size": 64, "epochs": 20},
    "sonnets-chapter": {"optimizer": "rmsprop", "learning_rate": 0.01, "batch_size": 128, "epochs": 10},
}
PLAIN = {"restore_weights": "last", "schedule": "constant", "layers": 1, "dropout": 0.0, "clip_norm": None}


@pytest.mark.parametrize(("name", "network"), for_rows(NETWORKS))
def test_networks_are_the_chapters(name: str, network: dict[str, Any]) -> None:
    row: Any = shipped().experiments[name]
    expected = network | TRAININGS[name] | PLAIN | {"refit": False, "ema_momentum": 0.0}
    assert row.task == "char_windows" and settings(row, expected) == expected
    if row.steps_per_epoch is not None:
        assert row.steps_per_epoch * row.epochs == 10_000


# The chapters print 42, 57 and 61 symbols, and 31,327 windows of the Sonnets. The 57th symbol of War and Peace is the
# byte order mark, which the reader takes off.
PUBLISHED = {
    "alice-chapter": {"symbols": 42, "windows": 139_726},
    "warpeace-chapter": {"symbols": 56, "windows": 3_196_172},
    "sonnets-chapter": {"symbols": 61, "windows": 31_327},
}


@pytest.mark.real
@needs_mirror
@pytest.mark.parametrize(("name", "expected"), for_rows(PUBLISHED))
def test_real_texts_have_the_symbols_and_windows_of_the_chapters(name: str, expected: dict[str, int]) -> None:
    row: Any = shipped().datasets[shipped().experiments[name].dataset]
    source = load_source(shipped().sources[row.source].reader)
    record: Any = source.read(MIRROR / (source.CARD.folder or row.source))
    found = encode(record, row, 42)
    assert {key: found.summary[key] for key in expected} == expected
