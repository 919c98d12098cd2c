"""Returns: parts that never touch, features of the past alone, figures by hand, a test with the right distribution."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import ReturnsData
from pipeline.encoding.records import SPLITS, Encoded, Series
from pipeline.errors import DataError
from pipeline.evaluation.statistics import diebold_mariano
from pipeline.tasks.returns.baselines import baselines
from pipeline.tasks.returns.prepare import MONTH, WEEK, days, encode, features, fitted
from pipeline.tasks.returns.raw_rows import raw_rows
from pipeline.tasks.returns.score import losses, score, score_origins


def row(**changes: object) -> ReturnsData:
    return ReturnsData.model_validate({"source": "s", "task": "returns", **changes})


def prices(n: int = 1_000, seed: int = 0, drift: float = 0.0) -> Series:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(drift + 0.01 * rng.normal(size=n)))
    wide = 1 + 0.01 * rng.random(n)
    covariates = {
        "open": close,
        "high": close * wide,
        "low": close / wide,
        "close": close,
        "volume": rng.random(n) * 1e6,
    }
    dates = np.datetime64("2000-01-03", "D") + np.arange(n)
    return Series(close, np.ones(n, np.bool_), "USD", covariates=covariates, dates=dates)


def test_each_origin_tests_what_follows_its_training_and_no_window_straddles() -> None:
    encoded = encode(prices(), row(window=20, origins=5), 0)
    assert encoded.summary["folds"] == 5
    tested = []
    for fold in range(5):
        train, validation, test = (days(encoded, split, fold) for split in SPLITS)
        assert train[0] == 20 + MONTH
        assert validation[0] - train[-1] == test[0] - validation[-1] == 21, "20 days between them belong to no part"
        assert np.all(np.diff(np.concatenate([train, validation, test])) >= 1)
        whole = test[0] - train[0]
        assert validation[0] == test[0] - round(whole * 0.1)
        tested.append(test)
    assert np.concatenate(tested[::-1]).tolist() == list(range(800, 1000)), "fold 0 is the latest"
    assert [len(test) for test in tested] == [40] * 5


def test_the_scaling_is_that_of_each_training_part() -> None:
    record = prices()
    encoded = encode(record, row(), 0)
    for fold, scaling in enumerate(encoded.encoder["scalings"]):
        train = days(encoded, "train", fold)
        later = {name: np.where(np.arange(1_000) > train[-1], 2 * c, c) for name, c in record.covariates.items()}
        changed = Series(later["close"], record.valid, "USD", covariates=later, dates=record.dates)
        assert encode(changed, row(), 0).encoder["scalings"][fold] == scaling
        np.testing.assert_allclose(
            scaling["spread"], np.sqrt(np.mean(np.diff(np.log(record.values))[train - 1] ** 2)), rtol=1e-12
        )


def columns(record: Series) -> dict[str, Any]:
    return {"values": record.values, **{name: record.covariates[name] for name in ("high", "low", "volume")}}


def test_features_are_those_of_the_day_and_before() -> None:
    before = columns(prices())
    after = {name: np.where(np.arange(1_000) > 500, 3 * column, column) for name, column in before.items()}
    np.testing.assert_array_equal(features(before)[:501], features(after)[:501])
    assert not np.array_equal(features(before)[501], features(after)[501])
    assert np.isnan(features(before)).any(axis=1).sum() == MONTH, "a month of returns is whole on the next day"


def test_features_by_hand() -> None:
    found, made = features(columns(prices())), columns(prices())
    daily = np.diff(np.log(made["values"]))
    r, week, month, volume, spread = found[100]
    assert r == pytest.approx(daily[99])
    assert week == pytest.approx(math.log(1e-4 + math.sqrt(np.mean(daily[100 - WEEK : 100] ** 2))))
    assert month == pytest.approx(math.log(1e-4 + math.sqrt(np.mean(daily[100 - MONTH : 100] ** 2))))
    assert volume == pytest.approx(math.log1p(made["volume"][100]) - math.log1p(made["volume"][99]))
    assert spread == pytest.approx(math.log(1e-4 + math.log(made["high"][100] / made["low"][100])))


def hand_made() -> Encoded:
    """The last four of thirty days are tested; their returns are 0.02, -0.01, 0.03 and -0.04."""
    encoder = {"window": 2, "first": 10, "validation": 0.5, "blocks": [26, 30]}
    values = np.concatenate([np.full(26, 0.01), [0.02, -0.01, 0.03, -0.04]])
    return Encoded({"returns": values}, encoder, {}, {"folds": 1})


def test_figures_by_hand() -> None:
    encoded = hand_made()
    found = score(encoded, "test", np.array([0.01, -0.01, -0.01, 0.0]))
    squared = (0.01**2 + 0 + 0.04**2 + 0.04**2) / 4
    naive = (0.02**2 + 0.01**2 + 0.03**2 + 0.04**2) / 4
    assert found == {
        "theil_u": pytest.approx(math.sqrt(squared / naive)),
        "rmse": pytest.approx(math.sqrt(squared)),
        "mae": pytest.approx(0.09 / 4),
        "direction_accuracy": 0.75,
        "r2": pytest.approx(1 - squared / naive),
    }
    assert score(encoded, "test", np.zeros(4))["theil_u"] == 1.0


def test_losses_are_on_average_the_headline() -> None:
    encoded = encode(prices(), row(), 0)
    forecast = np.random.default_rng(1).normal(0, 0.005, 40)
    assert losses(encoded, forecast, 2).mean() == pytest.approx(score(encoded, "test", forecast, 2)["theil_u"])


def test_baselines_by_hand() -> None:
    record = prices(drift=-0.002)
    encoded = encode(record, row(), 0)
    found = baselines(encoded)
    daily = np.diff(np.log(record.values))
    for fold in range(5):
        start = days(encoded, "test", fold)[0]
        assert found["drift"].predictions[fold] == pytest.approx(np.full(40, daily[: start - 1].mean()))
        assert (found["drift"].predictions[fold] < 0).all() and (found["always up"].predictions[fold] > 0).all()
    assert found["persistence"].metrics["theil_u"] == 1.0
    assert found["always up"].metrics["direction_accuracy"] == pytest.approx(np.mean(daily[799:] > 0))
    assert found["persistence"].metrics["dm_p"] == 0.5


def test_the_figure_of_all_origins_is_over_all_their_days() -> None:
    encoded = encode(prices(), row(), 0)
    rng = np.random.default_rng(2)
    truth = [encoded.arrays["returns"][days(encoded, "test", fold)] for fold in range(5)]
    forecasts = [0.1 * t + rng.normal(0, 0.001, 40) for t in truth]
    ours, theirs = np.concatenate([(f - t) ** 2 for f, t in zip(forecasts, truth, strict=True)]), np.concatenate(truth)
    expected = diebold_mariano(ours, theirs**2)[1]
    assert score_origins(encoded, list(enumerate(forecasts)))["dm_p"] == pytest.approx(expected)
    twice = [(fold, f) for _ in range(2) for fold, f in enumerate(forecasts)]
    assert score_origins(encoded, twice)["dm_p"] == pytest.approx(expected), "repeats are averaged, not added"
    assert 0 < expected < 0.01


@pytest.mark.fault("short-series")
@pytest.mark.parametrize(("n", "changes"), [(150, {}), (1_000, {"window": 400}), (1_000, {"origins": 20})])
def test_a_series_that_is_too_short_is_refused(n: int, changes: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=f"s: {n} days are too few: .* lower window"):
        encode(prices(n), row(**changes), 0)


def test_a_series_without_prices_is_refused() -> None:
    values = prices().values.copy()
    values[[7, 9]] = -1.0, 0.0
    with pytest.raises(
        DataError, match=r"s: values number 8 is -1; returns needs prices above zero, and `task: forecasting` reads any"
    ):
        encode(Series(values, np.ones(1_000, np.bool_), "kW"), row(), 0)
    with pytest.raises(DataError, match="s: the price is constant before the test part"):
        encode(Series(np.ones(900), np.ones(900, np.bool_), "kW"), row(), 0)
    lost = {**prices().covariates, "volume": np.full(1_000, np.nan)}
    with pytest.raises(DataError, match="s: volume number 1 is nan"):
        encode(replace(prices(), covariates=lost), row(), 0)


def test_prices_alone_have_the_features_that_need_no_other_column() -> None:
    whole, alone = encode(prices(), row(), 0), encode(replace(prices(), covariates={}, dates=None), row(), 0)
    np.testing.assert_array_equal(alone.arrays["features"], whole.arrays["features"][:, :3])
    assert alone.encoder["columns"] == ["values"] and "columns" not in whole.encoder
    assert set(fitted(alone, ("train",))["latest"]) == {"values"} and "dates" not in alone.arrays
    item = raw_rows({}, alone, np.zeros(40), 3).inputs[0]
    assert list(item) == ["values"] and len(item["values"]) == alone.encoder["first"]
    assert all(np.isfinite(b.metrics["theil_u"]) for b in baselines(alone).values())


def test_high_low_and_volume_of_ones_own_file_may_be_in_capitals_and_have_gaps() -> None:
    record = prices()
    volume = record.covariates["volume"].copy()
    volume[[0, 5]] = np.nan
    own = {name.upper(): record.covariates[name] for name in ("high", "low")} | {"Volume": volume}
    found = encode(replace(record, covariates=own, dates=None), row(), 0)
    expected = record.covariates["volume"].copy()
    expected[[0, 5]] = expected[[1, 4]]
    np.testing.assert_array_equal(found.arrays["volume"], expected)
    assert found.arrays["features"].shape == (1_000, 5)
