"""Nothing of the test part, and nothing of the future, reaches what a forecaster is fitted on or predicts."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.schema.datasets import ForecastingData
from pipeline.config.schema.networks import ForecastingNetwork
from pipeline.encoding.records import (
    SPLITS,
    Encoded,
    Series,
)
from pipeline.encoding.series_bases import levels
from pipeline.encoding.series_features import lookback
from pipeline.tasks.forecasting.baselines import baselines
from pipeline.tasks.forecasting.network import build, predictor, scaled_truth
from pipeline.tasks.forecasting.prepare import bounds, encode, inputs, targets
from pipeline.training.compiled import Compiled
from tests.tasks.records import changed_after

BOTH = ("train", "validation")
FORECASTING = ForecastingData(
    source="made-up",
    task="forecasting",
    horizons=(1, 4, 18),
    seasonal_periods=(24,),
    seasonal_means=True,
    calendar=True,
    lags=5,
)


def series(values: NDArray[Any] | None = None, n: int = 700) -> Series:
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(n) * 2 * np.pi / 24) + 0.3 * rng.normal(size=n)
    valid = np.arange(n) % 97 != 5
    return Series(wave if values is None else values, valid, "kW", "2026-01-01T00:00", 3600)


@pytest.mark.parametrize(("stateful", "base"), [(True, "mean"), (False, "mean"), (True, "auto"), (False, "last")])
def test_values_after_an_origin_change_no_forecast_from_it(stateful: bool, base: str) -> None:
    values, row = series().values, FORECASTING.model_copy(update={"base": base})
    encoded = encode(series(), row, 0)
    network = ForecastingNetwork(dataset="x", task="forecasting", units=4, time_steps=12, stateful=stateful)
    model = Compiled(build(network, encoded.encoder, 2 if stateful else None))
    kernel = model.model.get_layer("forecasts").kernel
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    before = predictor(model, network, encoded).predict("test", BOTH, 0)
    origins, _ = targets(encoded, "test")
    for origin in (origins[0], encoded.encoder["cuts"][1], origins[len(origins) // 2], origins[-1] - 1):
        other = encode(series(changed_after(values, origin, lambda v: v + 5)), row, 0)
        np.testing.assert_array_equal(other.arrays["inputs"][: origin + 1], encoded.arrays["inputs"][: origin + 1])
        other = Encoded(other.arrays, encoded.encoder, {}, {})  # what the first test steps fit is no matter here
        after = predictor(model, network, other).predict("test", BOTH, 0)
        known = origins <= origin
        np.testing.assert_allclose(after[known], before[known], atol=1e-5)
        assert (np.abs(after[~known] - before[~known]).max(axis=1) > 1e-4).all()


def test_a_long_window_on_a_short_past_reads_no_future_either() -> None:
    data = ForecastingData(
        source="x", task="forecasting", horizons=(1, 24), seasonal_periods=(24,), validation=0.31, test=0.31
    )
    encoded = encode(series(n=260), data, 0)
    network = ForecastingNetwork(dataset="x", task="forecasting", units=4, time_steps=60, stride=1, batch_size=4)
    origins, _ = targets(encoded, "validation")
    assert origins[0] < lookback(encoded.encoder) + network.time_steps
    model = Compiled(build(network, encoded.encoder))
    before = predictor(model, network, encoded).predict("validation", ("train",), 0)
    changed = changed_after(encoded.arrays["values"], origins[0], lambda v: v + 5)
    read = inputs(changed, encoded.encoder).astype(np.float32)
    other = Encoded({**encoded.arrays, "values": changed, "inputs": read}, encoded.encoder, {}, {})
    after = predictor(model, network, other).predict("validation", ("train",), 0)
    np.testing.assert_allclose(after[0], before[0], atol=1e-5)
    assert np.isfinite(before).all()


def test_baselines_see_no_future_either() -> None:
    values = series().values
    encoded = encode(series(), FORECASTING, 0)
    origins, _ = targets(encoded, "test")
    origin = origins[len(origins) // 2]
    other = encode(series(changed_after(values, origin, lambda v: v + 5)), FORECASTING, 0)
    later = baselines(other)
    for name, found in baselines(encoded).items():
        after = later[name].predictions[0]
        known = origins <= origin
        np.testing.assert_allclose(after[known], found.predictions[0][known], atol=1e-8, err_msg=name)
        assert name == "mean" or np.abs(after[~known] - found.predictions[0][~known]).max() > 0.1


@pytest.mark.parametrize("split", SPLITS)
def test_the_target_of_a_horizon_stands_exactly_that_far_ahead(split: str) -> None:
    n = 700
    ramp = Series(np.arange(n, dtype=np.float64), np.ones(n, np.bool_), "steps")
    encoded = encode(ramp, FORECASTING.model_copy(update={"calendar": False}), 0)
    origins, truth = targets(encoded, split)
    start, end = bounds(encoded, split)
    for j, horizon in enumerate(FORECASTING.horizons):
        present = ~np.isnan(truth[:, j])
        assert np.array_equal(truth[present, j], origins[present] + horizon)
        assert truth[present, j].max() == end - 1  # up to the last value there is
        if split != "train":
            assert truth[present, j].min() == start
    assert np.array_equal(encoded.arrays["values"][origins], origins)


@pytest.mark.parametrize("base", ["mean", "last", "season"])
def test_what_is_trained_on_at_a_step_is_what_is_scored_there(base: str) -> None:
    n = 700
    ramp = Series(np.arange(n, dtype=np.float64), np.ones(n, np.bool_), "steps")
    encoded = encode(ramp, FORECASTING.model_copy(update={"calendar": False, "base": base}), 0)
    scaled = scaled_truth(encoded, BOTH)
    steps = np.arange(len(scaled))
    learnt = levels(scaled, encoded.arrays["values"], steps, encoded.encoder)
    cut = encoded.encoder["cuts"][1]
    for j, horizon in enumerate(FORECASTING.horizons):
        present = ~np.isnan(learnt[:, j])
        np.testing.assert_allclose(learnt[present, j], steps[present] + horizon, atol=1e-2)
        assert learnt[present, j].max() == pytest.approx(cut - 1, abs=1e-2)  # nothing of the test part


def test_a_masked_value_is_no_target_and_its_filling_is_from_before() -> None:
    record = series()
    encoded = encode(record, FORECASTING, 0)
    masked = np.flatnonzero(~record.valid)
    for split in SPLITS:
        origins, truth = targets(encoded, split)
        for j, horizon in enumerate(FORECASTING.horizons):
            assert np.isnan(truth[np.isin(origins + horizon, masked), j]).all()
    late = masked[masked >= 24]
    assert np.array_equal(encoded.arrays["values"][late], encoded.arrays["values"][late - 24])


def test_the_last_row_is_the_last_of_the_data() -> None:
    record = series()
    values = encode(record, FORECASTING, 0)
    origins, truth = targets(values, "test")
    assert origins[-1] == len(record.values) - 2 and truth[-1, 0] == record.values[-1]


@pytest.mark.parametrize("base", ["mean", "last", "season"])
def test_scaling_is_that_of_the_training_part(base: str) -> None:
    record, row = series(), FORECASTING.model_copy(update={"base": base})
    encoded = encode(record, row, 0)
    cut = encoded.encoder["cuts"][0]
    later = encode(series(changed_after(record.values, cut - 1, lambda v: 100 * v)), row, 0)
    assert later.encoder == encoded.encoder
    earlier = record.values.copy()
    earlier[cut - 1] += 10.0
    moved = encode(series(earlier), row, 0)
    fitted = ("mean", "sd", "scale") if base == "mean" else ("mean", "sd", "scale", "bases", "change_sds")
    assert all(moved.encoder[key] != encoded.encoder[key] for key in fitted)


def test_the_base_is_chosen_on_validation_alone() -> None:
    record, row = series(), FORECASTING.model_copy(update={"base": "auto"})
    before, after = encode(record, row, 0).encoder["cuts"]
    assert encode(record, row, 0).summary["notes"] == [
        "forecasts are changes from the mean, last value or season, by steps ahead: "
        "season 24 at 1, season 24 at 4, season 24 at 18"
    ]
    chosen = [base["name"] for base in encode(record, row, 0).encoder["bases"]]
    assert chosen == ["season 24", "season 24", "season 24"]
    walk = np.cumsum(np.random.default_rng(3).normal(size=700)) * 5
    for start, end, expected in ((before, after, ["last"] * 3), (after, 700, chosen), (0, before - 24, chosen)):
        other = record.values.copy()
        other[start:end] = walk[start:end] - walk[start]
        assert [base["name"] for base in encode(series(other), row, 0).encoder["bases"]] == expected
