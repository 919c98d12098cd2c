"""A small problem for forecasters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, Series
from pipeline.tasks.forecasting.prepare import targets
from pipeline.tasks.forecasting.task import TASK
from tests.tasks.case import Case
from tests.tasks.odd import NO_SERIES, NUMBERS, answered, refused


def wave() -> Series:
    steps = np.arange(700)
    values = np.sin(steps / 4) + 0.1 * np.random.default_rng(0).normal(size=700)
    return Series(values, steps % 97 != 5, "kW", "2026-01-01T00:00", 900)


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return targets(encoded, split)[1]


CASE = Case(
    task=TASK,
    record=wave(),
    row={"horizons": [1, 3], "seasonal_periods": [25], "lags": 2},
    network={
        "cell": "simple_rnn",
        "layers": 2,
        "units": 4,
        "dropout": 0.3,
        "optimizer": "rmsprop",
        "learning_rate": 0.01,
        "batch_size": 8,
        "time_steps": 10,
    },
    truth=truth,
    odd=(
        *NO_SERIES,
        *answered({"values": NUMBERS}, {"values": list(map(float, range(20_000)))}),
        *refused(
            r"^values: found numbers of shape .*; more than \d+ are needed, in one row, all finite and below 1e\+30$",
            *({"values": values} for values in (5, None, [], [1.0, 2.0], [[1.0], [2.0]])),
            {"values": [1.0] * 50 + [float("nan")] * 150},
            {"values": [1e300] * 200},
        ),
        *refused(
            "^start: found .*; it must be the time of the first value",
            *({"values": NUMBERS, "start": start} for start in ("yesterday", "", None, 5, [], "0000-00-00")),
        ),
        *answered({"values": NUMBERS, "start": "99999-01-01"}),
        *refused("^extras: is now called covariates$", {"values": NUMBERS, "extras": {}}),
    ),
    odd_options=tuple({"steps": value} for value in (0, -1, 10**12, "x", None, True, float("nan"), [])),
)
