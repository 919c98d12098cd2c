"""The task padded_tags: tag sentences padded to one length, by the textbook's protocol."""

from typing import Any

from pipeline.encoding.records import TaggedSentences
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.tasks.textbook.padded_tags.answers import answer
from pipeline.tasks.textbook.padded_tags.baselines import baselines
from pipeline.tasks.textbook.padded_tags.prepare import encode, fitted
from pipeline.tasks.textbook.padded_tags.score import BOOTSTRAP_BLOCK, PRIMARY_METRIC, losses, score

ACCURACY = PRIMARY_METRIC.shown("accuracy with padding", unit="%")


def _network() -> Network:
    from pipeline.tasks.textbook.padded_tags.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.textbook.padded_tags.figures import figures

    return figures(report_data)


TASK = Task(
    name="padded_tags",
    title="tagging of padded sentences",
    said="tags {} of the positions correctly, padding included",
    record=TaggedSentences,
    metrics=(
        ACCURACY,
        Metric("token_accuracy", higher_is_better=True).shown("word accuracy", unit="%"),
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
    command="tag",
    answer=answer,
    serving_example=ServingExample(["the old man the boat ."], [{"words": ["The"], "tags": ["DT"]}]),
)
