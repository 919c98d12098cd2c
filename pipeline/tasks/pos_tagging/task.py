"""The task pos_tagging: predict a tag for each word of a sentence."""

from typing import Any

from pipeline.encoding.records import TaggedSentences
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.raw_input import WARNING
from pipeline.tasks.pos_tagging.answers import answer
from pipeline.tasks.pos_tagging.baselines import baselines
from pipeline.tasks.pos_tagging.blind import blind
from pipeline.tasks.pos_tagging.prepare import encode, fitted
from pipeline.tasks.pos_tagging.raw_rows import raw_rows, row_ids
from pipeline.tasks.pos_tagging.score import BOOTSTRAP_BLOCK, PRIMARY_METRIC, losses, optimum, score

ACCURACY = PRIMARY_METRIC.shown("word accuracy", unit="%")
TAGS = {"words": ["The"], "tags": ["DT"]}


def _network() -> Network:
    from pipeline.tasks.pos_tagging.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.pos_tagging.figures import figures

    return figures(report_data)


TASK = Task(
    name="pos_tagging",
    title="part-of-speech tagging",
    said="tags {} of the words correctly",
    record=TaggedSentences,
    metrics=(
        ACCURACY,
        Metric("sentence_accuracy", higher_is_better=True).shown("sentences all right", unit="%"),
        Metric("oov_accuracy", higher_is_better=True).shown("accuracy on unknown words", unit="%"),
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
    serving_example=ServingExample(["The old man the boat ."], [TAGS, TAGS | WARNING]),
    comparison="bootstrap of sentences",
    row_ids=row_ids,
    raw_rows=raw_rows,
    optimum=optimum,
    blind=blind,
)
