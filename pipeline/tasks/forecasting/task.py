"""The task forecasting: predict the values of a series at one or more horizons."""

from typing import Any

from pipeline.encoding.records import Series
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import Intervals, ServingExample, Task
from pipeline.raw_input import FORECAST, WARNING
from pipeline.tasks.forecasting.answers import answer, latest_input
from pipeline.tasks.forecasting.baselines import baselines
from pipeline.tasks.forecasting.blind import blind
from pipeline.tasks.forecasting.prepare import encode, fitted
from pipeline.tasks.forecasting.raw_rows import raw_rows, row_ids
from pipeline.tasks.forecasting.score import (
    BOOTSTRAP_BLOCK,
    PRIMARY_METRIC,
    coverage,
    interval,
    losses,
    optimum,
    score,
    score_free_run,
)

MASE = PRIMARY_METRIC.shown("MASE")


def _network() -> Network:
    from pipeline.tasks.forecasting.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.forecasting.figures import figures

    return figures(report_data)


TASK = Task(
    name="forecasting",
    title="forecasting",
    said="has a mean absolute scaled error (MASE) of {}",
    record=Series,
    metrics=(
        MASE,
        Metric("mae").shown("MAE"),
        Metric("rmse").shown("RMSE"),
        Metric("theil_u").shown("Theil's U", digits=4),
        Metric("interval_coverage", higher_is_better=None).shown("inside the 90 % interval"),
        Metric("free_run_max_error").shown("largest error running free"),
    ),
    primary_metric=MASE,
    monitor=MASE,
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
    serving_example=ServingExample(
        [{"values": [1.0, 2.0], "start": "2026-01-01T00:00"}, {}],
        [FORECAST, FORECAST | {"start": "2026-01-01T00:30"} | WARNING],
        {"steps": 96},
        of=latest_input,
    ),
    intervals=Intervals(interval, coverage),
    further_scores={"free_run": score_free_run},
    comparison="Diebold–Mariano",
    row_ids=row_ids,
    raw_rows=raw_rows,
    optimum=optimum,
    blind=blind,
)
