"""The task sentiment: classify texts, by single split or cross-validation."""

from typing import Any

from pipeline.encoding.records import LabelledTexts
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.raw_input import CLASS, WARNING
from pipeline.tasks.sentiment.answers import answer
from pipeline.tasks.sentiment.baselines import baselines
from pipeline.tasks.sentiment.blind import blind
from pipeline.tasks.sentiment.prepare import encode, fitted
from pipeline.tasks.sentiment.raw_rows import raw_rows, row_ids
from pipeline.tasks.sentiment.score import BOOTSTRAP_BLOCK, MONITOR, PRIMARY_METRIC, losses, optimum, score

ACCURACY = PRIMARY_METRIC.shown("accuracy", unit="%")
LOG_LOSS = MONITOR.shown("log loss")


def _network() -> Network:
    from pipeline.tasks.sentiment.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.sentiment.figures import figures

    return figures(report_data)


TASK = Task(
    name="sentiment",
    title="sentiment",
    said="labels {} of the texts correctly",
    record=LabelledTexts,
    metrics=(
        ACCURACY,
        Metric("f1", higher_is_better=True).shown("F1", unit="%"),
        LOG_LOSS,
    ),
    primary_metric=ACCURACY,
    monitor=LOG_LOSS,
    bootstrap_block=BOOTSTRAP_BLOCK,
    prepare=encode,
    fitted=fitted,
    score=score,
    losses=losses,
    baselines=baselines,
    network=_network,
    figures=_figures,
    command="predict",
    answer=answer,
    serving_example=ServingExample(["I love it"], [CLASS, CLASS | WARNING]),
    comparison="McNemar",
    row_ids=row_ids,
    raw_rows=raw_rows,
    optimum=optimum,
    blind=blind,
)
