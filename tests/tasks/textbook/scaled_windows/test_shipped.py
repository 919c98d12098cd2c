"""The rows of the chapters' forecasters: their numbers as printed, and synthetic data that is long enough for them."""

from pathlib import Path
from typing import Any

import pytest

from tests.shipped import fewest_synthetic_examples, for_rows, needs_rows, settings, shipped

ELECTRICITY = {"window": 20, "target_offset": 2, "preallocated": True, "season": 96, "test": 0.3}
ELECTRICITY_NETWORK = {"cell": "lstm", "units": 10, "layers": 1, "hidden": 0, "shuffle": False}
ELECTRICITY_TRAINING = {
    "optimizer": "adam", "learning_rate": 0.001, "schedule": "constant", "batch_size": 96, "epochs": 5,
    "restore_weights": "last", "refit": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stateful"), for_rows({"electricity-chapter": False, "electricity-chapter-stateful": True})
)
def test_numbers_of_the_electricity_chapter(name: str, stateful: bool) -> None:
    row, expected = shipped().experiments[name], ELECTRICITY_NETWORK | ELECTRICITY_TRAINING | {"stateful": stateful}
    assert row.dataset == "electricity-chapter"
    assert row.task == "scaled_windows" and settings(row, expected) == expected
    assert settings(shipped().datasets[row.dataset], ELECTRICITY) == ELECTRICITY


@needs_rows("msft-chapter")
def test_numbers_of_the_msft_chapter() -> None:
    row = shipped().experiments["msft-chapter"]
    data = {"inputs": "mean_price", "window": 1, "target_offset": 1, "scale": "minmax", "test": 0.3}
    assert settings(shipped().datasets[row.dataset], data) == data
    network = {"cell": "lstm", "units": 25, "layers": 1, "hidden": 0}
    training = {"optimizer": "adam", "batch_size": 1, "epochs": 5}
    assert settings(row, network | training) == network | training


DAYS = ("1990-01-01", "2023-01-01", "2023-06-30")


@pytest.mark.parametrize(("name", "source"), for_rows({"djia-chapter": "djia", "nasdaq-chapter": "nasdaq"}))
def test_numbers_of_the_djia_chapter(name: str, source: str) -> None:
    row: Any = shipped().experiments[name]
    data = {"source": source, "inputs": "price_features", "days": DAYS, "window": 5, "scale": "standard"}
    assert settings(shipped().datasets[row.dataset], data) == data
    network = {"cell": "lstm", "units": 16, "layers": 2}
    training = {"optimizer": "adam", "learning_rate": 0.01, "batch_size": 128, "epochs": 1_000}
    assert settings(row, network | training) == network | training
    assert row.hidden > 0


CHAPTERS = ("electricity-chapter", "msft-chapter", "djia-chapter", "nasdaq-chapter")


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_rows(name)) for name in CHAPTERS])
def test_the_synthetic_data_is_long_enough(name: str, tmp_path: Path) -> None:
    assert fewest_synthetic_examples(name, tmp_path) > 20
