"""The task image_rows: classify images that are read row by row."""

from typing import Any

from pipeline.encoding.records import Images
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.raw_input import CLASS, WARNING
from pipeline.tasks.image_rows.answers import answer
from pipeline.tasks.image_rows.baselines import baselines
from pipeline.tasks.image_rows.blind import blind
from pipeline.tasks.image_rows.prepare import encode, fitted
from pipeline.tasks.image_rows.raw_rows import raw_rows, row_ids
from pipeline.tasks.image_rows.score import BOOTSTRAP_BLOCK, PRIMARY_METRIC, losses, optimum, score

ACCURACY = PRIMARY_METRIC.shown("accuracy", unit="%")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


def _network() -> Network:
    from pipeline.tasks.image_rows.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.image_rows.figures import figures

    return figures(report_data)


TASK = Task(
    name="image_rows",
    title="images row by row",
    said="labels {} of the images correctly",
    record=Images,
    metrics=(
        ACCURACY,
        Metric("log_loss").shown("log loss"),
    ),
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
    command="classify",
    answer=answer,
    serving_example=ServingExample([PIXEL], [CLASS, CLASS | WARNING]),
    comparison="McNemar",
    row_ids=row_ids,
    raw_rows=raw_rows,
    optimum=optimum,
    blind=blind,
)
