"""The task scaled_windows: forecast the level of a series from windows, by the textbook's protocol."""

from typing import Any

from pipeline.encoding.records import Series
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.tasks.textbook.scaled_windows.answers import answer
from pipeline.tasks.textbook.scaled_windows.baselines import baselines
from pipeline.tasks.textbook.scaled_windows.prepare import encode, fitted
from pipeline.tasks.textbook.scaled_windows.score import BOOTSTRAP_BLOCK, PRIMARY_METRIC, losses, score

RMSE = PRIMARY_METRIC.shown("RMSE")


def _network() -> Network:
    from pipeline.tasks.textbook.scaled_windows.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.textbook.scaled_windows.figures import figures

    return figures(report_data)


TASK = Task(
    name="scaled_windows",
    title="scaled windows",
    said="has a root mean squared error (RMSE) of {}",
    record=Series,
    metrics=(
        RMSE,
        Metric("scaled_rmse").shown("RMSE of 0–1"),
        Metric("r2", higher_is_better=True).shown("R²"),
    ),
    primary_metric=RMSE,
    monitor=RMSE,
    bootstrap_block=BOOTSTRAP_BLOCK,
    prepare=encode,
    fitted=fitted,
    score=score,
    losses=losses,
    baselines=baselines,
    network=_network,
    figures=_figures,
    command="forecast",
    answer=answer,
    serving_example=ServingExample([{"values": [1.0, 2.0]}], [{"values": [3.0], "unit": "kW"}]),
)
