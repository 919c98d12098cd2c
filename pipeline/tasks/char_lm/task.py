"""The task char_lm: predict each next character of a running text."""

from typing import Any

from pipeline.encoding.records import TextCorpus
from pipeline.evaluation.network import Network
from pipeline.evaluation.task import ServingExample, Task
from pipeline.raw_input import WARNING
from pipeline.tasks.char_lm.baselines import baselines
from pipeline.tasks.char_lm.blind import blind
from pipeline.tasks.char_lm.prepare import encode, fitted
from pipeline.tasks.char_lm.raw_rows import raw_rows, row_ids
from pipeline.tasks.char_lm.score import (
    ADAPTIVE,
    BOOTSTRAP_BLOCK,
    PRIMARY_METRIC,
    generated,
    losses,
    optimum,
    score,
    score_adaptive,
)
from pipeline.training.continuations import GENERATION, SCORED, continuations, stream

BITS = PRIMARY_METRIC.shown("bits per character", digits=3)
LEARNING = ADAPTIVE.shown("the same, adaptive", digits=3)


def _network() -> Network:
    from pipeline.tasks.char_lm.network import NETWORK

    return NETWORK


def _figures(report_data: Any) -> list[Any]:
    from pipeline.tasks.char_lm.figures import figures

    return figures(report_data)


TASK = Task(
    name="char_lm",
    title="character language model",
    said="needs {} bits per character",
    record=TextCorpus,
    metrics=(BITS, LEARNING),
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
    serving_example=ServingExample(
        ["once upon a time"], [{"text": "…"}, {"text": "…"} | SCORED | WARNING], GENERATION | {"score": False}
    ),
    further_scores={"adaptive": score_adaptive},
    generated=generated,
    comparison="bootstrap of blocks",
    row_ids=row_ids,
    raw_rows=raw_rows,
    optimum=optimum,
    blind=blind,
)
