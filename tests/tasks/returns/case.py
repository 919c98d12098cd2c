"""A small problem for forecasters of returns."""

from typing import Any

from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.returns.prepare import COLUMNS, days
from pipeline.tasks.returns.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import DAYS, NO_SERIES, NUMBERS, answered, refused
from tests.tasks.records import daily_prices


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return encoded.arrays["returns"][days(encoded, split, fold)]


CASE = Case(
    task=TASK,
    record=daily_prices(),
    row={"window": 5, "origins": 2},
    network={
        "units": 4,
        "dropout": 0.3,
        "input_dropout": 0.2,
        "ema_momentum": 0.9,
        "learning_rate": 0.01,
        "batch_size": 8,
        "restore_weights": "best",
    },
    truth=truth,
    odd=(
        *NO_SERIES,
        *answered(DAYS),
        *refused(
            "^a forecast needs lists of numbers called values, high, low, volume, or {} to continue from the latest",
            {"values": NUMBERS},
            *(DAYS | {name: "x"} for name in COLUMNS),
        ),
        *refused(
            r"^values, high, low, volume: found shapes .*; \d+ days or more, as many of each$",
            *(DAYS | {name: column} for name in COLUMNS for column in (5, [], [1.0], [[1.0]] * 50)),
            {name: [1.0] * 20 for name in COLUMNS},
        ),
        *refused("^values: must be finite, and prices above zero$", DAYS | {"values": [-1.0] * 50}),
        *refused("^values: must be finite", DAYS | {"values": [None] * 50}),
        *(
            (DAYS | {name: [value] * 50}, f"^{name}: must be finite, and prices above zero$")
            for name in COLUMNS
            for value in (0.0, float("nan"))
            if (name, value) != ("volume", 0.0)
        ),
        *answered(DAYS | {"volume": [0.0] * 50}, DAYS | {"values": [1e300] * 50}),
        *refused("^high: must not be below low on any day$", DAYS | {"high": [0.5] * 50}),
    ),
    trained=Trained(
        name="djia",
        source="djia",
        dataset={"window": 5, "origins": 2},
        experiment={"units": 4, "epochs": 1, "learning_rate": 0.01},
        figures=frozenset({"theil_u", "rmse", "mae", "direction_accuracy", "r2"}),
        baselines=frozenset({"persistence", "drift", "always up"}),
        fine={name: [5.0 + i % 3 for i in range(50)] for name in COLUMNS},
        tested=lambda encoded: round(len(encoded.arrays["returns"]) * 0.2),  # each day of the test part, in its origin
        networks=((3, 0), (3, 1)),
        skewed=lambda encoder: encoder | {"window": 4},
    ),
)
