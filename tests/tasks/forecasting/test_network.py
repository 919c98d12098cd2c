"""Networks of forecasters: chunks of a series with their targets, and batches that fit into it."""

from typing import Any

import numpy as np
import pytest

from pipeline.encoding.records import Encoded, Series
from pipeline.encoding.series_features import lookback
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.inference.graph import Graph
from pipeline.tasks.forecasting.answers import forecast
from pipeline.tasks.forecasting.network import NETWORK, Chunks, build, predictor, scaled_truth
from pipeline.tasks.forecasting.prepare import fitted, targets
from pipeline.tasks.forecasting.raw_rows import raw_rows
from pipeline.tasks.forecasting.score import score
from pipeline.tasks.forecasting.task import TASK
from pipeline.training import repeats
from pipeline.training.compiled import Compiled
from pipeline.training.description import description, serving_model
from pipeline.training.fit import load, trainable
from tests.tasks.forecasting.case import CASE


@pytest.mark.parametrize("stateful", [True, False])
def test_chunks_of_a_series_are_its_inputs_with_what_follows_them(stateful: bool) -> None:
    encoded, network = CASE.encoded(), CASE.network_row(stateful=stateful)
    # Inputs that say where they stand.
    places = np.arange(len(encoded.arrays["values"]), dtype=np.float32)[:, None]
    encoded = Encoded({**encoded.arrays, "inputs": places}, encoded.encoder, {}, {})
    feed, truth = Chunks(network, encoded, ("train",)), scaled_truth(encoded, ("train",))
    places_seen = set()
    for seed in range(20):
        chunks = list(feed.batches(np.random.default_rng(seed)))
        assert len(chunks) == feed.steps
        x = np.stack([x[..., 0] for x, _, _ in chunks]).astype(int)  # [steps, batch, time]
        assert x.min() >= lookback(encoded.encoder) and x.max() < len(truth)
        assert (np.diff(x, axis=2) == 1).all()
        continued = (x[1:, :, 0] == x[:-1, :, -1] + 1).all()
        assert continued == stateful
        assert len(set(x.ravel())) == x.size  # nothing twice in an epoch
        for at, (_, y, _) in zip(x, chunks, strict=True):
            np.testing.assert_array_equal(y, truth[at])
        places_seen |= set(x.ravel())
    assert len(places_seen) > 0.9 * (len(truth) - lookback(encoded.encoder))


def test_stateful_and_stateless_training_take_as_many_steps() -> None:
    encoded = CASE.encoded()
    for batch, time_steps in ((8, 10), (3, 7), (5, 64)):
        options = {"batch_size": batch, "time_steps": time_steps}
        networks = [CASE.network_row(stateful=s, **options) for s in (True, False)]
        feeds = [Chunks(network, encoded, ("train",)) for network in networks]
        counts = [len(list(feed.batches(np.random.default_rng(0)))) for feed in feeds]
        assert counts[0] == counts[1] == feeds[0].steps == feeds[1].steps


def test_the_steps_of_the_burn_in_are_no_targets() -> None:
    network = CASE.network_row(burn_in=4)
    for _, y, _ in Chunks(network, CASE.encoded(), ("train",)).batches(np.random.default_rng(0)):
        assert np.isnan(y[:, :4]).all() and not np.isnan(y[:, 4:]).all(axis=(1, 2)).any()


@pytest.mark.fault("short-series")
@pytest.mark.parametrize("stride", [None, 1])
def test_too_large_a_batch_says_what_it_needs_of_a_series(stride: int | None) -> None:
    encoded = CASE.encoded()
    have = len(scaled_truth(encoded, ("train",)))
    spare = have - lookback(encoded.encoder) - 10
    fits = spare // (stride or 10)
    network = CASE.network_row(batch_size=fits, stride=stride)
    assert Chunks(network, encoded, ("train",)).steps == 1
    with pytest.raises(DataError) as caught:
        Chunks(CASE.network_row(batch_size=fits + 1, stride=stride), encoded, ("train",))
    need = have - spare + (stride or 10) * (fits + 1)
    assert f"batch_size {fits + 1} × time_steps 10 needs {need} steps, the training part has {have};" in str(
        caught.value
    )


@pytest.mark.parametrize("stateful", [True, False])
@pytest.mark.parametrize("in_numpy", [True, False])
def test_a_network_that_puts_out_zero_forecasts_the_last_value_exactly(stateful: bool, in_numpy: bool) -> None:
    encoded, network = CASE.encoded(base="last"), CASE.network_row(stateful=stateful, time_steps=30)
    model = Compiled(build(network, encoded.encoder, 8 if stateful else None))  # no change, before it is trained
    origins, _ = targets(encoded, "test")
    found = predictor(model, network, encoded).predict("test", ("train",), 0)
    last = encoded.arrays["values"][origins]
    np.testing.assert_array_equal(found, np.column_stack([last, last]))
    served = _served(network, encoded, in_numpy)
    rows = raw_rows({"stateful": stateful, "time_steps": 30}, encoded, found, 5)
    for item, expected in zip(rows.inputs, rows.expected, strict=True):
        answer = forecast(served, item, 3)
        assert answer["values"] == [item["values"][-1]] * 3
        np.testing.assert_array_equal(rows.read(answer, expected), expected)


def _served(network: Any, encoded: Encoded, in_numpy: bool, weights: Any = ()) -> LoadedNetwork:
    """A network as it is served, by NumPy or by Keras."""
    encoder = {**fitted(encoded, ("train",)), "interval": {"level": 0.9, "widths": [1.0, 1.0]}}
    model = serving_model(NETWORK, network, encoder)
    if len(weights):
        load(model, weights)
    light = Graph(description(model), trainable(model)) if in_numpy else Compiled(model)
    return LoadedNetwork(network, encoder, light)


def test_a_walk_is_forecast_nearly_as_well_as_by_its_last_value() -> None:
    walk = 100 + np.cumsum(np.random.default_rng(5).normal(size=500))
    encoded = TASK.prepare(Series(walk, np.ones(500, np.bool_), ""), CASE.dataset_row(seasonal_periods=[]), 0)
    row = CASE.network_row(cell="gru", layers=1, units=16, dropout=0.2, optimizer="adam", learning_rate=0.003)
    as_proposed = {"restore_weights": "best", "epochs": 15, "ema_momentum": 0.99, "time_steps": 24}
    row = row.model_copy(update={"stateful": True, **as_proposed})
    (network,) = repeats.train(TASK, row, encoded, seed=1, label="walk")
    ours = score(encoded, "test", network.predictions["test"])
    origins, _ = targets(encoded, "test")
    naive = score(encoded, "test", np.column_stack([walk[origins], walk[origins]]))
    for figure in ("mae_h1", "mae_h3", "rmse_h1", "rmse_h3"):
        assert ours[figure] < 1.05 * naive[figure], figure
    # What is served agrees with what was evaluated.
    stored = network.predictions["test"]
    served = _served(row, encoded, in_numpy=True, weights=network.weights)
    rows = raw_rows(row.model_dump(), encoded, stored, 5)
    for item, expected in zip(rows.inputs, rows.expected, strict=True):
        found = rows.read(forecast(served, item, 3), expected)
        assert np.abs(found - expected).max() <= 1e-5 * rows.unit and np.abs(expected - item["values"][-1]).max() > 0
