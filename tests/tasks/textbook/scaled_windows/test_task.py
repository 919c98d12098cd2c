"""Scaled windows: every flaw of the chapters' protocols pinned by a test that is named after it, and their numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import loading
from pipeline.config.schema.datasets import ScaledWindowsData
from pipeline.encoding.price_features import price_features
from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError
from pipeline.sources import SOURCES, load_source
from pipeline.tasks import load_task
from pipeline.tasks.textbook.scaled_windows.baselines import baselines
from pipeline.tasks.textbook.scaled_windows.prepare import bounds, encode, last_values, targets, windows
from pipeline.tasks.textbook.scaled_windows.score import losses, score

PARAMS = loading.load(Path(__file__).parents[4], SOURCES)
POINTS = 140_256  # of the published electricity series


def row(name: str, **changes: object) -> ScaledWindowsData:
    found = PARAMS.datasets[name].model_copy(update=changes)
    assert isinstance(found, ScaledWindowsData)
    return found


def ramp(n: int) -> Series:
    """0, 1, 2 …: a value says where it stands."""
    return Series(np.arange(n, dtype=np.float64), np.arange(n) % 100 != 7, "kW")


def prices(n: int = 800, first: str = "2020-06-01") -> Series:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(0.01 * rng.normal(size=n)))
    covariates = {"open": close - 1, "high": close + 2, "low": close - 3, "close": close, "volume": 1 + rng.random(n)}
    dates = np.busday_offset(np.datetime64(first, "D"), np.arange(n), roll="forward")
    return Series(0.9 * close, np.ones(n, np.bool_), "USD", covariates=covariates, dates=dates)


@pytest.fixture(scope="module")
def electricity() -> Encoded:
    return encode(ramp(POINTS), row("electricity-chapter"), 0)


def rows_of(encoded: Encoded, split: str) -> Any:
    return np.arange(*bounds(encoded, split))


# Pinned flaws


def test_flaw_the_scaling_sees_the_test_part(electricity: Encoded) -> None:
    assert electricity.arrays["inputs"].min() == 0.0 and electricity.arrays["inputs"].max() == 1.0
    changed = ramp(POINTS)
    changed.values[-1] *= 2
    after = encode(changed, row("electricity-chapter"), 0)
    assert after.encoder["spread"][0] == 2 * electricity.encoder["spread"][0]
    assert after.arrays["inputs"][0:1000].max() < electricity.arrays["inputs"][0:1000].max()
    assert "The scaling saw all 140,256 values: 42,077 of the test part lie outside" in flaws(electricity)


def flaws(encoded: Encoded) -> str:
    return " ".join(encoded.summary["flaws"])


def test_flaw_the_target_stands_one_step_late(electricity: Encoded) -> None:
    seen = windows(electricity, np.arange(3))[..., 0] * (POINTS - 1)
    np.testing.assert_allclose(seen, [np.arange(20), np.arange(20) + 1, np.arange(20) + 2], atol=1e-2)
    assert targets(electricity, "train")[:3].tolist() == [21, 22, 23], "after 19 comes 20, but 21 is asked for"
    assert "2 steps after the end of its window" in flaws(electricity)


def test_flaw_the_last_21_rows_are_zeros_and_are_tested(electricity: Encoded) -> None:
    rows = rows_of(electricity, "test")
    assert rows[-1] == POINTS - 1, "there are as many rows as values"
    assert not windows(electricity, rows[-21:]).any() and not targets(electricity, "test")[-21:].any()
    assert windows(electricity, rows[-22:-21]).all() and targets(electricity, "test")[-22] == POINTS - 1
    assert "The last 21 rows of the test part hold zeros" in flaws(electricity)


def test_flaw_validation_is_the_test_part(electricity: Encoded) -> None:
    assert bounds(electricity, "validation") == bounds(electricity, "test")
    assert electricity.examples["validation"] == electricity.examples["test"]
    assert "The validation part is the test part: the same 42,077 rows." in flaws(electricity)


def test_flaw_values_known_to_be_wrong_are_not_masked(electricity: Encoded) -> None:
    assert targets(electricity, "train")[107 - 21] == 107.0, "a value that is not valid is a target all the same"
    assert "1403 values that are known to be wrong are not masked" in flaws(electricity)


def test_flaw_a_share_is_forecast_by_its_price() -> None:
    encoded = encode(prices(), row("djia-chapter", days=("2020-06-01", "2022-12-01", "2023-06-30")), 0)
    close = prices().covariates["close"]
    assert np.isin(targets(encoded, "test"), close).all(), "neither returns nor scaled"
    naive = score(encoded, "test", last_values(encoded, "test"))
    assert f"an R² of {naive['r2']:.4f}" in flaws(encoded) and "The price itself is the target" in flaws(encoded)
    assert naive["r2"] > 0.8, "a random walk"


# Pinned numbers


def test_numbers_of_the_electricity_chapter(electricity: Encoded) -> None:
    assert (row("electricity-chapter").window, row("electricity-chapter").season) == (20, 96)
    assert electricity.examples == {"train": 98_179, "validation": 42_077, "test": 42_077}
    for name, stateful in (("electricity-chapter", False), ("electricity-chapter-stateful", True)):
        network = PARAMS.experiment(name)
        assert network.dataset == "electricity-chapter" and network.stateful is stateful
        expected = {"cell": "lstm", "units": 10, "layers": 1, "optimizer": "adam", "batch_size": 96, "epochs": 5}
        expected |= {"shuffle": False, "hidden": 0, "restore_weights": "last", "refit": False, "schedule": "constant"}
        assert {key: getattr(network, key) for key in expected} == expected
        assert network.learning_rate == 0.001, "adam as Keras has it"


def test_numbers_of_the_msft_chapter() -> None:
    record = prices(1_509)
    encoded = encode(record, row("msft-chapter"), 0)
    assert encoded.examples == {"train": 1_056 - 1, "validation": 453 - 1, "test": 453 - 1}
    mean = record.covariates["close"] - 0.5  # of close − 1, + 2, − 3 and itself
    np.testing.assert_allclose(encoded.arrays["values"], mean)
    np.testing.assert_allclose(targets(encoded, "test"), mean[1_057:])
    np.testing.assert_allclose(last_values(encoded, "test"), mean[1_056:-1])
    assert encoded.arrays["inputs"].min() == 0.0 and encoded.arrays["inputs"].max() == 1.0
    network: Any = PARAMS.experiment("msft-chapter")
    expected = {
        "cell": "lstm",
        "units": 25,
        "layers": 1,
        "hidden": 0,
        "optimizer": "adam",
        "batch_size": 1,
        "epochs": 5,
    }
    assert {key: getattr(network, key) for key in expected} == expected


@pytest.mark.parametrize("name", ["djia-chapter", "nasdaq-chapter"])
def test_numbers_of_the_djia_chapter(name: str) -> None:
    network: Any = PARAMS.experiment(name)
    expected = {"cell": "lstm", "units": 16, "layers": 2, "optimizer": "adam", "batch_size": 128, "epochs": 1_000}
    assert {key: getattr(network, key) for key in expected} == expected
    assert network.learning_rate == 0.01 and network.hidden > 0
    data = row(name)
    assert data.days == ("1990-01-01", "2023-01-01", "2023-06-30") and (data.window, data.scale) == (5, "standard")


def test_the_test_part_of_the_djia_chapter_is_119_rows_of_124_days() -> None:
    dates = prices(800).dates
    assert dates is not None
    first = dates[-130]
    encoded = encode(prices(), row("djia-chapter", days=("2020-06-01", str(first), str(dates[-7]))), 0)
    close = prices().covariates["close"]
    assert encoded.examples["test"] == 119
    assert targets(encoded, "test").tolist() == close[-130 + 4 : -7].tolist(), (
        "the day of each window's end; not the last"
    )


# What is right in them


def test_features_of_a_day_are_known_the_evening_before() -> None:
    data = row("djia-chapter", days=("2020-06-01", "2022-12-01", "2023-06-30"))
    encoded, record = encode(prices(), data, 0), prices()
    known = price_features(record.covariates)[252:]
    rows = np.arange(100, 110)
    unscaled = windows(encoded, rows) * encoded.encoder["spread"] + encoded.encoder["shift"]
    for i, unscaled_row in zip(rows, unscaled, strict=True):
        np.testing.assert_allclose(unscaled_row, known[i - 1 : i + 4], rtol=1e-4, atol=1e-5)
        assert targets(encoded, "train")[i] == record.covariates["close"][252 + i + 4]
    np.testing.assert_allclose(last_values(encoded, "train")[100], record.covariates["close"][252 + 103])


def test_features_are_scaled_by_the_training_part() -> None:
    record, data = prices(), row("djia-chapter", days=("2020-06-01", "2022-12-01", "2023-06-30"))
    before = encode(record, data, 0)
    assert record.dates is not None
    late = record.dates >= np.datetime64("2022-12-01")
    later = {name: np.where(late, 2 * column, column) for name, column in record.covariates.items()}
    after = encode(Series(record.values, record.valid, "", covariates=later, dates=record.dates), data, 0)
    assert (after.encoder["shift"], after.encoder["spread"]) == (before.encoder["shift"], before.encoder["spread"])


def test_price_features_by_hand() -> None:
    columns = prices().covariates
    close, volume = columns["close"], columns["volume"]
    found = price_features(columns)
    assert found.shape == (800, 36) and np.isnan(found).any(axis=1).sum() == 252
    past = {span: close[500 - span + 1 : 501] for span in (5, 21, 252)}
    means = [past[span].mean() for span in (5, 21, 252)]
    np.testing.assert_allclose(found[500, :5], [columns[n][500] for n in ("open", "high", "low", "close", "volume")])
    np.testing.assert_allclose(found[500, 5:8], means)
    np.testing.assert_allclose(found[500, 8:11], [means[0] / means[1], means[0] / means[2], means[1] / means[2]])
    np.testing.assert_allclose(found[500, 11:14], [past[span].std() for span in (5, 21, 252)])
    np.testing.assert_allclose(found[500, 17], volume[496:501].mean())
    np.testing.assert_allclose(found[500, 29], close[500] / close[499] - 1)
    np.testing.assert_allclose(found[500, 32], close[500] / close[248] - 1)
    np.testing.assert_allclose(found[500, 33], np.mean(close[496:501] / close[495:500] - 1))
    changed = {name: np.where(np.arange(800) > 500, 2 * column, column) for name, column in columns.items()}
    np.testing.assert_array_equal(price_features(changed)[:501], found[:501])


def test_baselines_and_figures_by_hand(electricity: Encoded) -> None:
    found = baselines(electricity)
    assert set(found) == {"last value", "mean", "season 96"}
    # on a ramp the last known value is 2 behind and the day before 96, but in the 21 rows of zeros they are right too
    share = (42_077 - 21) / 42_077
    assert found["last value"].metrics["rmse"] == pytest.approx(np.sqrt(share * 2**2))
    assert found["season 96"].metrics["rmse"] == pytest.approx(np.sqrt(share * 96**2))
    assert found["last value"].metrics["scaled_rmse"] == pytest.approx(np.sqrt(share * 2**2) / (POINTS - 1))
    truth = targets(electricity, "test")
    off = score(electricity, "test", truth + 3)
    assert off["rmse"] == pytest.approx(3) and off["r2"] == pytest.approx(1 - 9 / truth.var())
    rng = np.random.default_rng(0)
    guess = truth + rng.normal(0, 5, len(truth))
    assert losses(electricity, guess).mean() == pytest.approx(score(electricity, "test", guess)["rmse"])


def test_windows_are_made_when_they_are_needed(electricity: Encoded) -> None:
    assert sum(array.nbytes for array in electricity.arrays.values()) == POINTS * (4 + 8)


@pytest.mark.parametrize(("n", "name"), [(60, "electricity-chapter"), (300, "djia-chapter")])
def test_a_series_that_is_too_short_is_refused(n: int, name: str) -> None:
    with pytest.raises(DataError, match=r"steps, \d+ of them the test part, are too few for windows of"):
        encode(prices(n, "2022-06-01"), row(name), 0)


def test_a_series_without_prices_is_refused() -> None:
    with pytest.raises(
        DataError, match="djia: has no dates or no open, high, low, close, volume; inputs: price_features"
    ):
        encode(ramp(500), row("djia-chapter"), 0)


@pytest.mark.parametrize(
    "name", ["djia", "msft", "electricity-chapter", "msft-chapter", "djia-chapter", "nasdaq-chapter"]
)
def test_the_samples_are_long_enough_for_the_rows_of_params(name: str, tmp_path: Path) -> None:
    data = PARAMS.datasets[name]
    source = load_source(PARAMS.sources[data.source].reader)
    source.synthesize(tmp_path, PARAMS.seed)
    assert min(load_task(data.task).encode(source.read(tmp_path), data, PARAMS.seed).examples.values()) > 20
