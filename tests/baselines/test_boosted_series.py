"""Boosted trees see a rule that no linear model sees, follow a trend, and their settings come from validation alone."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.baselines import boosted_series
from pipeline.baselines.boosted_series import Setting, boosted_forecasts
from pipeline.baselines.linear_series import linear_forecasts
from pipeline.config.schema.datasets import ForecastingData
from pipeline.encoding.records import Encoded, Series
from pipeline.tasks.forecasting.prepare import encode, targets


def encoded(values: Any, **options: Any) -> Encoded:
    columns = {name: np.asarray(column) for name, column in options.pop("columns", {}).items()}
    row = ForecastingData.model_validate(
        {"source": "s", "task": "forecasting", "lags": 2, "covariates": list(columns), **options}
    )
    series = Series(np.asarray(values, np.float64), np.ones(len(values), np.bool_), "", covariates=columns)
    return encode(series, row, 0)


def error(of: Encoded, forecast: Any) -> float:
    return float(np.nanmean(np.abs(forecast - targets(of, "test")[1])))


def test_a_threshold_on_both_sides_is_seen_by_trees_and_by_no_linear_model() -> None:
    rng = np.random.default_rng(0)
    wind = rng.normal(size=900)
    storm = np.concatenate([[0.0], 10.0 * (np.abs(wind[:-1]) > 0.67)])  # half of the steps, the one after a strong wind
    data = encoded(storm + 0.1 * rng.normal(size=900), columns={"wind": wind})
    origins, _ = targets(data, "test")
    assert error(data, boosted_forecasts(data, origins)) < 0.5
    assert all(error(data, forecast) > 3 for forecast in linear_forecasts(data, origins).values())


def test_trees_follow_a_trend_beyond_all_that_they_were_fitted_on() -> None:
    rising = np.arange(900.0) + np.random.default_rng(0).normal(size=900)
    data = encoded(rising, horizons=[1, 4])
    origins, truth = targets(data, "test")
    assert np.nanmin(truth) > np.max(data.arrays["values"][: data.encoder["cuts"][1]]) - 3
    assert error(data, boosted_forecasts(data, origins)) < 1.5  # the mean error of a forecast by the trend is .8 to 1.1


def test_settings_are_chosen_on_validation_and_fitted_on_all_before_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(np.arange(1_000.0) % 7 + np.arange(1_000) / 100)
    before, after = data.encoder["cuts"]
    fits: list[tuple[Setting, list[float], list[float]]] = []

    class Model:
        def __init__(self, setting: Setting) -> None:
            self.setting = setting

        def fit(self, x: Any, y: Any, X_val: Any = (), y_val: Any = ()) -> "Model":
            fits.append((self.setting, list(x[:, 0]), [] if not len(X_val) else list(X_val[:, 0])))
            # The level has the smaller error, after its second tree.
            self.validation_score_ = [-9.0, -5.0, -3.0 if self.setting.change else -2.0, -4.0]
            return self

        def predict(self, x: Any) -> Any:
            return np.zeros(len(x))

    monkeypatch.setattr(boosted_series, "_model", lambda setting, **_: Model(setting))
    forecasts = boosted_forecasts(data, targets(data, "test")[0])
    assert (forecasts == data.encoder["mean"]).all(), "zero is the mean, as the level was chosen"
    scaled = list((data.arrays["values"] - data.encoder["mean"]) / data.encoder["sd"])
    compared, (final, rows, none) = fits[:-1], fits[-1]
    assert [setting.change for setting, _, _ in compared] == [True, False]
    assert all(
        train == scaled[1 : before - 1] and test == scaled[before - 1 : after - 1] for _, train, test in compared
    )
    assert final == compared[1][0]._replace(trees=2) and rows == scaled[1 : after - 1] and not none


def test_the_truth_of_the_test_part_changes_no_forecast() -> None:
    walk = np.cumsum(np.random.default_rng(0).normal(size=900))
    data = encoded(walk, horizons=[1, 4])
    start = data.encoder["cuts"][1]
    other = replace(data, arrays={**data.arrays, "values": np.where(np.arange(900) >= start, 7.0, walk)})
    origins = np.arange(start - 4, start)  # all that was known before the test
    np.testing.assert_array_equal(boosted_forecasts(data, origins), boosted_forecasts(other, origins))
