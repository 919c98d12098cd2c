"""The task padded_texts: classify texts into two classes, by the textbook's protocol."""

from typing import Any

from pipeline.encoding.records import LabelledTexts
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.raw_input import CLASS, WARNING
from pipeline.tasks.textbook.padded_texts.answers import answer
from pipeline.tasks.textbook.padded_texts.baselines import baselines
from pipeline.tasks.textbook.padded_texts.prepare import encode, fitted
from pipeline.tasks.textbook.padded_texts.raw_rows import raw_rows
from pipeline.tasks.textbook.padded_texts.score import BOOTSTRAP_BLOCK, PRIMARY_METRIC, losses, score

ACCURACY = PRIMARY_METRIC.shown("accuracy", unit="%")


def _network() -> Network:
    from pipeline.tasks.textbook.padded_texts.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.textbook.padded_texts.figures import figures

    return figures(report_data)


TASK = Task(
    name="padded_texts",
    title="sentiment, the textbook's way",
    said="labels {} of the texts correctly",
    record=LabelledTexts,
    metrics=(
        ACCURACY,
        Metric("accuracy_unseen", higher_is_better=True).shown("accuracy, texts not in train", unit="%"),
        Metric("f1", higher_is_better=True).shown("F1", unit="%"),
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
    command="predict",
    answer=answer,
    serving_example=ServingExample(["I love it"], [CLASS, CLASS | WARNING]),
    raw_rows=raw_rows,
)
