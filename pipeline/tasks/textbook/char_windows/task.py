"""The task char_windows: predict characters from windows of a text, by the textbook's protocol."""

from typing import Any

from pipeline.encoding.records import TextCorpus
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.raw_input import WARNING
from pipeline.tasks.textbook.char_windows.baselines import baselines
from pipeline.tasks.textbook.char_windows.prepare import encode, fitted
from pipeline.tasks.textbook.char_windows.score import (
    BOOTSTRAP_BLOCK,
    PRIMARY_METRIC,
    generated,
    losses,
    score,
)
from pipeline.training.continuations import GENERATION, continuations, stream

BITS = PRIMARY_METRIC.shown("bits per character", digits=3)


def _network() -> Network:
    from pipeline.tasks.textbook.char_windows.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.textbook.char_windows.figures import figures

    return figures(report_data)


TASK = Task(
    name="char_windows",
    title="character model, the textbook's windows",
    said="needs {} bits per character",
    record=TextCorpus,
    metrics=(
        BITS,
        Metric("window_accuracy", higher_is_better=True).shown("accuracy on training windows", unit="%"),
    ),
    primary_metric=BITS,
    monitor=BITS,
    bootstrap_block=BOOTSTRAP_BLOCK,
    prepare=encode,
    fitted=fitted,
    score=score,
    losses=losses,
    baselines=baselines,
    network=_network,
    figures=_figures,
    command="generate",
    answer=continuations,
    stream=stream,
    serving_example=ServingExample(["once upon a time"], [{"text": "…"}, {"text": "…"} | WARNING], GENERATION),
    generated=generated,
)
