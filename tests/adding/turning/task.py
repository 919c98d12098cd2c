"""Turning: what the task says of itself."""

from typing import Any

from pipeline.tasks.turning.answers import answer
from pipeline.tasks.turning.baselines import baselines
from pipeline.tasks.turning.prepare import encode, fitted
from pipeline.tasks.turning.raw_rows import raw_rows, row_ids
from pipeline.tasks.turning.score import BOOTSTRAP_BLOCK, PRIMARY_METRIC, losses, score

from pipeline.encoding.records import Series
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task

ACCURACY = PRIMARY_METRIC.shown("direction right", unit="%")


def _network() -> Network:
    from pipeline.tasks.turning.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.turning.figures import figures

    return figures(report_data)


TASK = Task(
    name="turning",
    title="direction of the next step",
    said="turns {} of the values right",
    record=Series,
    metrics=(ACCURACY,),
    primary_metric=ACCURACY,
    monitor=ACCURACY,
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
    serving_example=ServingExample([{"values": [1.0, 2.0] * 4}], [{"values": [0.5]}]),
    comparison="McNemar",
    row_ids=row_ids,
    raw_rows=raw_rows,
)
