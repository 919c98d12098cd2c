"""A forecast beside further columns: what the network is given at each step, what is held, what is refused."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import ForecastingData
from pipeline.config.schema.networks import ForecastingNetwork
from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError
from pipeline.evaluation.network import LoadedNetwork
from pipeline.tasks.forecasting.answers import forecast
from pipeline.tasks.forecasting.network import build
from pipeline.tasks.forecasting.prepare import encode, fitted
from pipeline.training.compiled import Compiled

LENGTH = 600
RNG = np.random.default_rng(4)
VALUES, SUN, RAIN = RNG.normal(50, 5, LENGTH), RNG.normal(size=LENGTH), RNG.normal(7, 3, LENGTH)


@pytest.fixture(scope="module")
def encoded() -> Encoded:
    series = Series(
        VALUES, np.ones(LENGTH, np.bool_), "kW", "2026-01-01T00:00:00", 3600, covariates={"sun": SUN, "rain": RAIN}
    )
    options: dict[str, Any] = {
        "source": "s",
        "task": "forecasting",
        "lags": 3,
        "seasonal_periods": [24],
        "covariates": ["rain", "sun"],
    }
    options["base"] = "mean"
    return encode(series, ForecastingData.model_validate(options), 0)


@pytest.fixture(scope="module", params=[False, True], ids=["stateless", "stateful"])
def served(request: pytest.FixtureRequest, encoded: Encoded) -> LoadedNetwork:
    """An untrained network that answers like one that was stored."""
    row = {"dataset": "s", "task": "forecasting", "units": 6, "time_steps": 10, "stateful": request.param}
    network = ForecastingNetwork.model_validate(row)
    encoder = {**fitted(encoded, ("train",)), "interval": {"level": 0.9, "widths": [5.0]}}
    model = Compiled(build(network, encoder, 1 if network.stateful else None))
    return LoadedNetwork(network, encoder, model)


def ask(served: LoadedNetwork, steps: int, **item: Any) -> list[float]:
    found: list[float] = forecast(served, item, steps)["values"]
    return found


def test_the_next_value_comes_from_the_inputs_of_the_evaluation(served: LoadedNetwork, encoded: Encoded) -> None:
    (given,) = ask(served, 1, values=VALUES.tolist(), covariates={"rain": RAIN.tolist(), "sun": SUN.tolist()})
    window = encoded.arrays["inputs"][24:] if served.row.stateful else encoded.arrays["inputs"][-10:]
    served.model.reset_states()
    scaled = float(served.model.predict(window[None])[0, -1, 0])
    assert given == pytest.approx(scaled * encoded.encoder["sd"] + encoded.encoder["mean"], rel=1e-5)
    assert [given] == ask(served, 1), "the latest values that it knows are the same ones"


def test_covariates_are_held_at_their_last_value_where_they_end(served: LoadedNetwork) -> None:
    past = {"values": VALUES[:200].tolist()}
    rain, sun = RAIN[:200].tolist(), SUN[:200].tolist()
    held = ask(served, 4, **past, covariates={"rain": rain, "sun": sun})
    assert held == ask(served, 4, **past, covariates={"rain": [*rain, *[rain[-1]] * 4], "sun": [*sun, sun[-1]]})
    planned = ask(served, 4, **past, covariates={"rain": [*rain, 30.0], "sun": sun})
    assert planned[0] == held[0] and planned[1] != held[1], "a later value acts from its own step on"
    assert held == ask(served, 4, **past, covariates={"rain": [*rain, rain[-1], rain[-1], rain[-1], 99.0], "sun": sun})
    answer = forecast(served, {**past, "covariates": {"rain": [*rain, 1, 2, 3, 4]}}, 4)
    assert answer["held"] == {"sun": SUN[-1]}, "the last one that the model knows, which no one gave"
    assert answer["values"] == ask(served, 4, **past, covariates={"rain": [*rain, 1, 2, 3, 4], "sun": [SUN[-1]] * 204})
    assert forecast(served, {}, 2)["held"] == {"rain": RAIN[-1], "sun": SUN[-1]}


def test_beside_horizons_further_off_stand_the_covariates_of_their_origin(encoded: Encoded) -> None:
    options: dict[str, Any] = {
        "source": "s",
        "task": "forecasting",
        "lags": 3,
        "horizons": [4, 2],
        "covariates": ["rain", "sun"],
    }
    covariates = {"sun": SUN, "rain": RAIN}
    series = Series(VALUES, np.ones(LENGTH, np.bool_), "kW", "2026-01-01T00:00:00", 3600, covariates=covariates)
    far = encode(series, ForecastingData.model_validate(options), 0)
    network = ForecastingNetwork.model_validate({"dataset": "s", "task": "forecasting", "units": 6, "time_steps": 10})
    encoder = {**fitted(far, ("train",)), "interval": {"level": 0.9, "widths": [5.0, 4.0]}}
    model = Compiled(build(network, encoder))
    asked = {"values": VALUES.tolist(), "covariates": {name: column.tolist() for name, column in covariates.items()}}
    answer = forecast(LoadedNetwork(network, encoder, model), asked, 5)
    four, two = model.predict(far.arrays["inputs"][None, -10:])[0, -1] * encoder["sd"] + encoder["mean"]
    last = float(VALUES[-1])
    assert answer["values"] == pytest.approx([(last + two) / 2, two, (two + four) / 2, four, four], rel=1e-5)
    assert np.subtract(answer["upper"], answer["values"]) == pytest.approx([4.0, 4.0, 4.5, 5.0, 5.0])


WRONG = {
    "another name": ({"snow": [1.0] * 200}, r"covariates: found .*snow.*; expected {name: \[numbers\]} of rain, sun"),
    "no names": ([1.0] * 200, r"expected {name: \[numbers\]} of rain, sun"),
    "too few": (
        {"rain": [1.0] * 199},
        r"covariates: 'rain' needs 200 numbers in a row, one for each value, and at most 3",
    ),
    "too many": ({"rain": [1.0] * 204}, r"'rain' needs 200 numbers"),
    "a gap": ({"rain": [1.0] * 199 + [None]}, r"all finite"),
    "words": ({"rain": ["wet"] * 200}, r"'rain' needs a list of numbers, found \['wet'"),
    "a number": ({"rain": 5}, r"'rain' needs 200 numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_covariates_that_cannot_be_read_are_named(name: str, served: LoadedNetwork) -> None:
    covariates, message = WRONG[name]
    with pytest.raises(DataError, match=message):
        forecast(served, {"values": VALUES[:200].tolist(), "covariates": covariates}, 3)
