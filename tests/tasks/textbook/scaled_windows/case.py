"""A small problem for the textbook's forecasters."""

from typing import Any

from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.tasks.textbook.scaled_windows.prepare import targets
from pipeline.tasks.textbook.scaled_windows.task import TASK
from tests.tasks.case import Case, Trained
from tests.tasks.odd import NO_SERIES, NUMBERS, answered, refused
from tests.tasks.records import daily_prices


def truth(encoded: Encoded, split: str, fold: int) -> NDArray[Any]:
    return targets(encoded, split)


CASE = Case(
    task=TASK,
    record=daily_prices(),
    row={"window": 6, "target_offset": 2, "preallocated": True, "season": 24},
    network={
        "units": 4,
        "hidden": 3,
        "dropout": 0.3,
        "learning_rate": 0.01,
        "batch_size": 8,
    },
    truth=truth,
    odd=(
        *NO_SERIES,
        *answered({"values": NUMBERS}, {"values": NUMBERS, "start": "yesterday"}, {"values": [0.0] * 6}),
        *refused(
            r"^values: found numbers of shape .*; \d+ or more are needed, in one row, all finite and below 1e\+30$",
            *({"values": values} for values in (5, None, [], [1.0, 2.0], [[1.0], [2.0]])),
            {"values": [1.0] * 50 + [float("nan")] * 150},
            {"values": [1e300] * 200},
        ),
    ),
    trained=Trained(
        name="msft",
        source="msft",
        dataset={"inputs": "mean_price", "window": 3},
        experiment={"units": 4, "epochs": 2, "learning_rate": 0.01},
        figures=frozenset({"rmse", "scaled_rmse", "r2"}),
        baselines=frozenset({"last value", "mean"}),
        fine={"values": [1.0, 2.0, 4.0]},
        tested=lambda encoded: len(encoded.arrays["values"]) - int(len(encoded.arrays["values"]) * 0.7) - 3,
        tested_on_validation=True,
    ),
)
