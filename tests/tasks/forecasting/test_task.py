"""Forecasting: targets and figures by hand, baselines against plain loops, nothing learnt from masks or the future."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.baselines.linear_series import _least_absolute, _least_squares, linear_forecasts, linear_free_run
from pipeline.config.schema.datasets import ForecastingData
from pipeline.encoding.records import Encoded, Series
from pipeline.encoding.series_features import lag_features
from pipeline.errors import DataError
from pipeline.evaluation.statistics import conformal_width
from pipeline.tasks.forecasting.answers import _time
from pipeline.tasks.forecasting.baselines import baselines, naive_forecasts
from pipeline.tasks.forecasting.prepare import encode, filled, fitted, targets
from pipeline.tasks.forecasting.score import coverage, interval, losses, optimum, score, score_free_run, widths

VALUES = [1.0, 2, 4, 7, 11, 16, 22, 29, 37, 46]


def row(**changes: object) -> ForecastingData:
    return ForecastingData.model_validate({"source": "s", "task": "forecasting", **changes})


def hand_made(masked: tuple[int, ...] = ()) -> Encoded:
    """Ten values, the last four of them the test; an in-sample error of the naive forecast of 2."""
    valid = np.ones(10, np.bool_)
    valid[list(masked)] = False
    encoder = {
        "horizons": [1, 2],
        "seasonal_periods": [],
        "seasonal_means": False,
        "lags": 1,
        "cuts": [4, 6],
        "scale": 2.0,
    }
    return Encoded({"values": np.array(VALUES), "valid": valid}, encoder, {}, {})


def wave(length: int = 600, seed: int = 0, masked: float = 0.0) -> Series:
    rng = np.random.default_rng(seed)
    values = 50 + 10 * np.sin(np.arange(length) * 2 * np.pi / 24) + rng.normal(size=length)
    return Series(values, rng.random(length) >= masked, "kW", "2026-01-01T00:00", 3600)


def test_the_optimum_is_kept_if_it_is_known_at_every_horizon() -> None:
    known = np.arange(1_800.0).reshape(600, 3)
    series = replace(wave(), optimum=known, optimum_steps=(1, 2, 4))
    encoded = encode(series, row(horizons=[4, 1]), 0)
    origins, _ = targets(encoded, "test")
    best = optimum(encoded)
    assert best is not None and np.array_equal(best, known[origins][:, [2, 0]])
    assert optimum(encode(series, row(horizons=[1, 3]), 0)) is None, "not known 3 steps ahead"
    assert optimum(encode(wave(), row(horizons=[1]), 0)) is None, "an unknown process"


def test_intervals_by_hand() -> None:
    encoded = hand_made()
    _, truth = targets(encoded, "validation")
    near = truth + np.array([[0.0, 1.0], [2.0, 3.0], [-5.0, 0.0]])
    found = interval(encoded, near)
    # of two errors, rank ceil(3 × 0.9) = 3 is more than there are: the largest
    assert found == {"level": 0.9, "widths": [5.0, 3.0]}
    encoder = {"horizons": [4, 2], "interval": {"level": 0.9, "widths": [7.0, 3.0]}}
    assert widths(encoder, 6).tolist() == [3.0, 3.0, 5.0, 7.0, 7.0, 7.0]
    _, truth = targets(encoded, "test")
    off = truth + np.array([[0.0, 4.0], [5.0, 2.0], [-6.0, 3.0], [5.0, -4.0], [9.0, 9.0]])
    held = coverage(encoded, near, off)
    # one step: 5, -6, 5, 9 against 5; two steps: 4, 2, 3, -4 against 3
    assert held == {"interval_coverage": 0.5, "interval_coverage_h1": 0.5, "interval_coverage_h2": 0.5}


def test_nine_of_ten_are_inside_a_conformal_interval() -> None:
    errors = np.append(np.arange(1.0, 100.0) * np.where(np.arange(99) % 2, 1, -1), np.nan)
    assert conformal_width(errors) == 90.0  # ceil(100 × 0.9)
    rng = np.random.default_rng(0)
    draws = [np.abs(rng.standard_t(3)) <= conformal_width(rng.standard_t(3, 20)) for _ in range(4_000)]
    assert 0.88 < np.mean(draws) < 0.93  # 19/21, whatever the distribution


def test_targets_by_hand() -> None:
    origins, truth = targets(hand_made(), "test")
    assert origins.tolist() == [4, 5, 6, 7, 8]
    nan = np.nan
    np.testing.assert_array_equal(truth, [[nan, 22], [22, 29], [29, 37], [37, 46], [46, nan]])
    origins, truth = targets(hand_made(), "validation")
    assert origins.tolist() == [2, 3, 4]
    np.testing.assert_array_equal(truth, [[nan, 11], [11, 16], [16, nan]])


def test_figures_by_hand() -> None:
    encoded = hand_made()
    last = np.repeat(np.array(VALUES)[4:9, None], 2, axis=1)
    found = score(encoded, "test", last)
    # one step: errors 6 7 8 9; two steps: 11 13 15 17
    assert found["mae_h1"] == pytest.approx(7.5)
    assert found["rmse_h1"] == pytest.approx(np.sqrt((36 + 49 + 64 + 81) / 4))
    assert found["mae_h2"] == pytest.approx(14)
    assert found["mase_h1"] == pytest.approx(3.75)
    assert found["mase_h2"] == pytest.approx(7)
    assert found["mase"] == pytest.approx((3.75 + 7) / 2)
    assert found["theil_u_h1"] == found["theil_u_h2"] == pytest.approx(1), "it is the naive forecast itself"
    _, truth = targets(encoded, "test")
    off = score(encoded, "test", truth + 3)
    assert off["rmse"] == off["mae"] == pytest.approx(3)
    assert off["theil_u_h2"] == pytest.approx(3 / np.sqrt((121 + 169 + 225 + 289) / 4))
    np.testing.assert_allclose(losses(encoded, truth + 3), [1.5] * 5)
    np.testing.assert_allclose(losses(encoded, last), [11 / 2, 19 / 4, 22 / 4, 25 / 4, 9 / 2])


def test_masked_slots_are_never_scored() -> None:
    encoded = hand_made(masked=(7,))
    _, truth = targets(encoded, "test")
    np.testing.assert_array_equal(truth[:, 0], [np.nan, 22, np.nan, 37, 46])
    right = np.nan_to_num(truth, nan=1e9)
    found = score(encoded, "test", right)
    assert found["mae"] == found["rmse"] == 0
    assert np.all(losses(encoded, right) == 0)


def test_an_origin_without_any_target_has_no_loss() -> None:
    encoded = hand_made(masked=(7, 8))
    _, truth = targets(encoded, "test")
    assert np.isnan(truth[2]).all(), "from 6, both targets are masked"
    assert len(losses(encoded, np.nan_to_num(truth))) == 4


def test_masked_values_are_filled_from_a_season_before() -> None:
    values, valid = np.arange(10.0), np.ones(10, np.bool_)
    valid[[0, 2, 6, 9]] = False
    assert filled(values, valid, {"seasonal_periods": [3]}).tolist() == [0, 1, 1, 3, 4, 5, 3, 7, 8, 3]
    assert filled(values, valid, {"seasonal_periods": []}).tolist() == [0, 1, 1, 3, 4, 5, 5, 7, 8, 8]


def test_mase_is_measured_against_the_training_part() -> None:
    series = wave()
    encoded = encode(series, row(seasonal_periods=[24], lags=3), 0)
    train = series.values[: encoded.encoder["cuts"][0]]
    assert encoded.encoder["cuts"] == [420, 480]
    assert encoded.encoder["scale"] == pytest.approx(np.mean(np.abs(train[24:] - train[:-24])))
    assert (encoded.encoder["mean"], encoded.encoder["sd"]) == (pytest.approx(train.mean()), pytest.approx(train.std()))


def test_last_value_and_season_against_plain_loops() -> None:
    encoded = encode(wave(1_000, masked=0.02), row(horizons=[1, 5, 30], seasonal_periods=[24, 48], lags=3), 0)
    found = baselines(encoded)
    values, (origins, truth) = encoded.arrays["values"], targets(encoded, "test")
    for season, name in ((0, "last value"), (24, "season 24"), (48, "season 48")):
        for j, horizon in enumerate((1, 5, 30)):
            expected = []
            for origin in origins:
                at = origin + horizon
                while season and at > origin:
                    at -= season
                expected.append(values[at if season else origin])
            np.testing.assert_array_equal(found[name].predictions[0][:, j], expected)
            error = np.abs(np.array(expected) - truth[:, j])
            assert found[name].metrics[f"mae_h{horizon}"] == pytest.approx(np.mean(error[~np.isnan(truth[:, j])]))


def test_mean_and_drift_by_hand() -> None:
    encoded = hand_made()
    encoded = replace(encoded, encoder={**encoded.encoder, "mean": 3.5})
    found = naive_forecasts(encoded, np.array([4, 6]))
    assert found["mean"].tolist() == [[3.5, 3.5], [3.5, 3.5]]
    # the training part 1 2 4 7 rises by 2 a step
    assert found["drift"].tolist() == [[13, 15], [24, 26]]


def test_nothing_from_after_the_origin_reaches_a_forecast() -> None:
    series = wave()
    options = row(horizons=[1, 4], seasonal_periods=[24], seasonal_means=True, lags=3, calendar=True)
    before = encode(series, options, 0)
    changed = series.values.copy()
    cut = before.encoder["cuts"][1]
    changed[cut + 10 :] += 1000.0
    after = encode(Series(changed, series.valid, "kW", series.start, 3600), options, 0)
    assert after.encoder == before.encoder
    np.testing.assert_array_equal(after.arrays["inputs"][: cut + 10], before.arrays["inputs"][: cut + 10])
    first, second = baselines(before), baselines(after)
    origins, _ = targets(before, "test")
    known = origins < cut + 10
    for name, baseline in first.items():
        np.testing.assert_array_equal(baseline.predictions[0][known], second[name].predictions[0][known])


def test_lag_features_by_hand() -> None:
    encoder = {"horizons": [1, 6], "seasonal_periods": [4], "seasonal_means": False}
    features = lag_features(np.arange(20.0), encoder)
    # from 10: the target 11 stands a season after 7, the target 16 two seasons after 8
    assert features[10].tolist() == [7, 8]
    assert np.isnan(features[2]).tolist() == [True, False]
    means = lag_features(np.arange(100.0), encoder | {"seasonal_means": True})
    assert means[60].tolist() == [57, 57 - 4 * 3, 58, 58 - 4 * 3]


def cosine(length: int = 2000) -> Encoded:
    series = Series(np.cos(np.arange(length)), np.ones(length, np.bool_), "")
    return encode(series, row(lags=2, test=0.5, free_run=500), 0)


def test_a_linear_autoregression_is_exact_on_a_cosine() -> None:
    encoded = cosine()
    found = baselines(encoded)["linear (least squares)"].metrics
    assert found["rmse"] < 1e-10
    assert found["free_run_max_error"] < 1e-6
    assert linear_free_run(encoded).shape == (500,)


def test_the_free_run_is_scored_by_its_largest_error() -> None:
    encoded = cosine()
    truth = encoded.arrays["values"][1000:1500].copy()
    truth[[3, 400]] += [0.25, -0.5]
    assert score_free_run(encoded, truth) == {"free_run_max_error": pytest.approx(0.5)}


def test_the_l1_fit_beats_least_squares_where_noise_has_heavy_tails() -> None:
    from scipy.optimize import linprog

    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(size=(300, 3)), np.ones(300)])
    y = x @ [1.0, -2.0, 0.5, 3.0] + rng.standard_t(1.2, 300)
    by_l1, by_squares = (float(np.mean(np.abs(y - x @ fit(x, y)))) for fit in (_least_absolute, _least_squares))
    assert by_l1 < by_squares
    # the exact optimum, as a linear programme over weights and the two signs of each residual
    costs = np.concatenate([np.zeros(4), np.ones(600)])
    limits: Any = [(None, None)] * 4 + [(0, None)] * 600
    best = linprog(costs, A_eq=np.hstack([x, np.eye(300), -np.eye(300)]), b_eq=y, bounds=limits).fun / 300
    assert by_l1 == pytest.approx(best, rel=1e-4)


def test_masked_targets_are_not_fitted() -> None:
    series = wave(masked=0.05)
    options = row(horizons=[1], lags=2)
    values = series.values.copy()
    values[~series.valid] = 1e6
    clean, wild = (
        encode(Series(v, series.valid, "kW", series.start, 3600), options, 0) for v in (series.values, values)
    )
    assert clean.encoder["mean"] == wild.encoder["mean"]
    np.testing.assert_array_equal(clean.arrays["values"][1:], wild.arrays["values"][1:])
    origins, _ = targets(clean, "test")
    for name, predictions in linear_forecasts(clean, origins).items():
        np.testing.assert_array_equal(predictions, linear_forecasts(wild, origins)[name])


def beside(series: Series, **columns: Any) -> Series:
    return replace(series, covariates={name: np.asarray(column, np.float64) for name, column in columns.items()})


def test_covariates_are_inputs_of_their_own_step() -> None:
    series, rain = wave(), np.random.default_rng(5).normal(3, 2, 600)
    plain = encode(series, row(lags=3, seasonal_periods=[24]), 0)
    unlisted = encode(beside(series, rain=rain), row(lags=3, seasonal_periods=[24]), 0)
    assert unlisted.encoder == plain.encoder and unlisted.arrays.keys() == plain.arrays.keys()
    assert all(unlisted.arrays[key].tobytes() == array.tobytes() for key, array in plain.arrays.items())
    encoded = encode(
        beside(series, sun=rain * 2, rain=rain), row(lags=3, seasonal_periods=[24], covariates=["rain"]), 0
    )
    np.testing.assert_array_equal(encoded.arrays["inputs"][:, :-1], plain.arrays["inputs"])
    train = rain[:420]
    scaled = (rain - train.mean()) / train.std()
    np.testing.assert_allclose(encoded.arrays["inputs"][:, -1], scaled, rtol=1e-5, atol=1e-6)
    assert encoded.encoder["features"] == plain.encoder["features"] + 1
    assert encoded.encoder["covariates"] == [{"name": "rain", "mean": train.mean(), "sd": train.std()}]
    (latest,) = zip(*fitted(encoded, ("train",))["latest"]["covariates"], strict=True)
    assert list(latest) == rain.tolist()


def test_what_is_missing_of_covariates_is_carried_forward_and_never_back() -> None:
    rain = np.arange(600.0)
    rain[[0, 1, 50, 51, 599]] = np.nan
    encoded = encode(beside(wave(), rain=rain), row(lags=3, covariates=["rain"]), 0)
    filled = encoded.arrays["covariates"][:, 0]
    mean = np.nanmean(rain[:420])
    assert filled[[0, 1, 2, 49, 50, 51, 52, 599]].tolist() == [mean, mean, 2, 49, 49, 49, 52, 598]
    assert encoded.arrays["inputs"][0, -1] == 0


def test_nothing_from_after_the_origin_of_covariates_reaches_a_forecast() -> None:
    rain = np.random.default_rng(5).normal(size=600)
    changed = rain.copy()
    options = row(horizons=[1, 4], lags=3, covariates=["rain"])
    before = encode(beside(wave(), rain=rain), options, 0)
    cut = before.encoder["cuts"][1] + 10
    changed[cut:] += 1000.0
    after = encode(beside(wave(), rain=changed), options, 0)
    np.testing.assert_array_equal(after.arrays["inputs"][:cut], before.arrays["inputs"][:cut])
    known = targets(before, "test")[0] < cut
    later = baselines(after)
    for name, baseline in baselines(before).items():
        np.testing.assert_array_equal(baseline.predictions[0][known], later[name].predictions[0][known])


def test_linear_baselines_learn_from_covariates() -> None:
    rain = np.random.default_rng(5).normal(size=600)
    series = replace(wave(), values=50 + np.concatenate([[0.0], rain[:-1]]))  # what fell a step before
    found = [
        baselines(encode(beside(series, rain=rain), row(lags=2, **covariates), 0))
        for covariates in ({}, {"covariates": ["rain"]})
    ]
    blind, told = (float(f["linear (least squares)"].metrics["rmse"]) for f in found)
    assert blind > 0.8 and told < 1e-6


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({}, r"s: covariates: no further column 'rain'; the source has: none"),
        ({"sun": np.zeros(600)}, r"no further column 'rain'; the source has: sun"),
        ({"rain": np.full(600, np.nan)}, r"s: covariates: 'rain' has no number in the training part"),
    ],
)
def test_covariates_that_are_not_there_are_named(column: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        encode(beside(wave(), **column), row(covariates=["rain"]), 0)


@pytest.mark.fault("constant-series")
def test_parts_that_leave_nothing_to_measure_are_refused() -> None:
    series = wave()
    still = replace(series, values=np.where(np.arange(600) >= 480, 5.0, series.values))
    with pytest.raises(DataError, match="s: the series is constant on the test part"):
        encode(still, row(), 0)
    blind = replace(series, valid=np.arange(600) < 420)
    with pytest.raises(DataError, match="s: the validation part has no values"):
        encode(blind, row(), 0)
    periodic = replace(series, values=np.tile(np.arange(24.0), 25))
    with pytest.raises(DataError, match="s: the training part repeats itself every 24 steps"):
        encode(periodic, row(seasonal_periods=[24]), 0)
    encode(periodic, row(), 0)


@pytest.mark.fault("short-series")
@pytest.mark.parametrize(
    ("changes", "length"),
    [({}, 60), ({"seasonal_periods": [400]}, 600), ({"horizons": [200]}, 600), ({"test": 0.01}, 600)],
)
def test_a_series_that_is_too_short_is_refused(changes: dict[str, Any], length: int) -> None:
    with pytest.raises(DataError, match=rf"s: {length} points are too few: .* shorten seasonal_periods or horizons"):
        encode(wave(length), row(**changes), 0)


@pytest.mark.fault("constant-series")
def test_a_constant_series_is_refused() -> None:
    with pytest.raises(DataError, match="s: the series is constant on the training part"):
        encode(Series(np.full(600, 5.0), np.ones(600, np.bool_), ""), row(), 0)


@pytest.mark.fault("huge-numbers")
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            lambda v: v * 1e300,
            r"s: the values reach 6\.\d+e\+301 and differ by .*; expected numbers below 1e\+30 .*another unit",
        ),
        (lambda v: v * 1e-300, r"s: the values reach 6\.\d+e-299 and differ by .* that differ by more than 1e-30"),
        (lambda v: np.where(np.arange(600) == 599, 1e200, v), r"s: the values reach 1e\+200"),
        (lambda v: np.where(np.arange(600) == 450, -1e31, v), r"s: the values reach 1e\+31"),
    ],
)
def test_numbers_whose_squares_are_not_finite_are_refused(values: Any, message: str) -> None:
    series = wave()
    with pytest.raises(DataError, match=message):
        encode(replace(series, values=values(series.values)), row(), 0)
    rain = replace(series, covariates={"rain": values(series.values)})
    with pytest.raises(DataError, match=message.replace("the values", "covariates: 'rain'")):
        encode(rain, row(covariates=["rain"]), 0)


@pytest.mark.fault("huge-numbers")
@pytest.mark.parametrize("factor", [1e25, 1e-25])
def test_numbers_of_another_unit_give_the_same_figures(factor: float) -> None:
    series = wave()
    found = [
        baselines(encode(replace(series, values=series.values * f), row(lags=3), 0))["linear (least squares)"].metrics
        for f in (1.0, factor)
    ]
    assert found[1]["mase"] == pytest.approx(found[0]["mase"], rel=1e-6)


@pytest.mark.parametrize("changes", [{"seasonal_periods": [24]}, {"calendar": True}])
def test_a_free_run_of_more_than_the_last_values_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(
        DataError, match=rf"s: free_run continues .*; set free_run to 0, or leave out {next(iter(changes))}"
    ):
        encode(wave(), row(free_run=10, **changes), 0)
    assert encode(wave(), row(free_run=10), 0).encoder["free_run"] == 10


def test_months_are_prepared_and_know_their_season() -> None:
    series = replace(wave(), start="2000-01-01T00:00:00", step_seconds=None, step_months=1)
    encoded = encode(series, row(seasonal_periods=[12], lags=3, calendar=True), 0)
    assert encoded.encoder["step_months"] == 1 and np.isfinite(encoded.arrays["inputs"][12:]).all()
    assert "step_months" not in encode(wave(), row(), 0).encoder


def test_the_start_of_a_served_series_is_a_time() -> None:
    hours, months = {"start": "2026-01-01", "step_seconds": 3600}, {"start": "2026-01-01", "step_months": 1}
    assert _time(hours, "2026-01-31T13:45") == np.datetime64("2026-01-31T13:45")
    assert _time(hours, "2026-01-31T13:45+01:00") == np.datetime64("2026-01-31T12:45")
    assert _time(months, "2024-05") == np.datetime64("2024-05-01T00:00")
    for encoder, start in ((hours, "2024-05"), (months, "2024"), (months, "now"), (hours, "today"), (hours, 2024)):
        with pytest.raises(DataError, match=f"start: found {start!r}; it must be the time of the first value"):
            _time(encoder, start)
