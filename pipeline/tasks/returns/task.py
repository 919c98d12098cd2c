"""The task returns: forecast the next day's log return of a daily price."""

from typing import Any

from pipeline.encoding.records import Series
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import Intervals, ServingExample, Task
from pipeline.raw_input import FORECAST, WARNING
from pipeline.tasks.returns.answers import answer, latest_input
from pipeline.tasks.returns.baselines import baselines
from pipeline.tasks.returns.blind import blind
from pipeline.tasks.returns.prepare import encode, fitted
from pipeline.tasks.returns.raw_rows import raw_rows, row_ids
from pipeline.tasks.returns.score import (
    BOOTSTRAP_BLOCK,
    PRIMARY_METRIC,
    coverage,
    interval,
    losses,
    optimum,
    score,
    score_origins,
)

THEIL_U = PRIMARY_METRIC.shown("Theil's U", digits=4)  # values are near 1 and differ in the third decimal
DAYS = {"values": [1.0], "high": [1.0], "low": [1.0], "volume": [1.0]}
RETURN = FORECAST | {"log_return": 0.1}


def _network() -> Network:
    from pipeline.tasks.returns.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.returns.figures import figures

    return figures(report_data)


TASK = Task(
    name="returns",
    title="returns of a share",
    said="has {} times the error of “no change”",
    record=Series,
    metrics=(
        THEIL_U,
        Metric("rmse").shown("RMSE"),
        Metric("mae").shown("MAE"),
        Metric("direction_accuracy", higher_is_better=True).shown("direction right", unit="%"),
        Metric("r2", higher_is_better=True).shown("R²"),
        Metric("interval_coverage", higher_is_better=None).shown("inside the 90 % interval"),
        Metric("dm_p").shown("p (Diebold–Mariano)"),
    ),
    primary_metric=THEIL_U,
    monitor=THEIL_U,
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
    serving_example=ServingExample([DAYS, {}], [RETURN, RETURN | WARNING], of=latest_input),
    intervals=Intervals(interval, coverage),
    score_origins=score_origins,
    comparison="Diebold–Mariano",
    row_ids=row_ids,
    raw_rows=raw_rows,
    optimum=optimum,
    blind=blind,
)
