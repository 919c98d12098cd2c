"""A small problem for forecasters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, Series
from pipeline.tasks.forecasting.prepare import targets
from pipeline.tasks.forecasting.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import NO_SERIES, NUMBERS, answered, refused

NO_TIMES = (
    "yesterday", "now", "today", "NaT", "2024", "2024-01", "", None, 5, [], "0000-00-00", "99999-01-01",
    "2026-01-31T24:01", "0001-01-01T00:00+14:00",
)  # fmt: skip
ERRORS = ("rmse", "mae", "mase", "theil_u")


def wave() -> Series:
    steps = np.arange(700)
    values = np.sin(steps / 4) + 0.1 * np.random.default_rng(0).normal(size=700)
    return Series(values, steps % 97 != 5, "kW", "2026-01-01T00:00", 900)


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return targets(encoded, split)[1]


def tested(encoded: Encoded) -> int:
    """Count the origins of the test part with a target at one of the horizons."""
    at = np.arange(encoded.encoder["cuts"][1], len(encoded.arrays["values"]))
    return len({origin for horizon in (1, 4) for origin in at[encoded.arrays["valid"][at]] - horizon})


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
            *({"values": NUMBERS, "start": start} for start in NO_TIMES),
        ),
        *answered(*({"values": NUMBERS, "start": start} for start in ("2026-01-31", "2026-01-31T13:45:00.5+01:00"))),
        *refused("^extras: is now called covariates$", {"values": NUMBERS, "extras": {}}),
    ),
    odd_options=tuple({"steps": value} for value in (0, -1, 10**12, "x", None, True, float("nan"), [])),
    trained=Trained(
        name="electricity",
        source="electricity",
        dataset={"horizons": [1, 4], "seasonal_periods": [96], "calendar": True, "lags": 5},
        experiment={
            "cell": "simple_rnn",
            "units": 6,
            "time_steps": 12,
            "batch_size": 64,
            "epochs": 1,
            "learning_rate": 0.01,
            "repeats": 2,
        },
        figures=frozenset({*ERRORS, *(f"{metric}_h{horizon}" for metric in ERRORS for horizon in (1, 4))}),
        baselines=frozenset({"mean", "last value", "drift", "season 96", "linear", "boosted trees"}),
        fine={"values": NUMBERS, "start": "2011-07-03T05:00"},
        tested=tested,
        networks=((3, 0), (4, 0)),
        skewed=lambda encoder: encoder | {"step_seconds": 1800},
    ),
)
