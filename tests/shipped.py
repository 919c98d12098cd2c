"""The rows that this project ships with, and the mark that skips tests about rows that its user has removed."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.config import loading, merging
from pipeline.config.schema.params import Params
from pipeline.sources import SOURCES, load_source
from pipeline.tasks import task_named

ROOT = Path(__file__).parents[1]
SHIPPED = (
    "alice",
    "alice-chapter",
    "cifar10",
    "cifar10-chapter",
    "cifar10-permuted-rows",
    "cosine",
    "cosine-chapter",
    "cosine-chapter-positive",
    "cosine-from-scratch",
    "digits",
    "digits-one-to-many",
    "djia",
    "djia-chapter",
    "electricity",
    "electricity-chapter",
    "electricity-chapter-stateful",
    "electricity-day-decoder",
    "electricity-day-direct",
    "electricity-stateful",
    "electricity-stateless",
    "imdb",
    "imdb-chapter-gru",
    "imdb-chapter-lstm",
    "imdb-chapter-lstm-bidirectional",
    "imdb-chapter-lstm-stacked",
    "imdb-chapter-simple-rnn",
    "msft",
    "msft-chapter",
    "nasdaq-chapter",
    "shakespeare",
    "sonnets",
    "sonnets-chapter",
    "sonnets-coupled-lstm",
    "sonnets-gru",
    "sonnets-lstm",
    "sonnets-peephole-lstm",
    "sonnets-simple-rnn",
    "treebank",
    "treebank-attention",
    "treebank-chapter",
    "treebank-chapter-bilstm",
    "treebank-chapter-lstm",
    "treebank-encoder-decoder",
    "treebank-stacked",
    "umich",
    "umich-chapter",
    "warpeace",
    "warpeace-chapter",
)


@functools.cache
def shipped() -> Params:
    """Return the project's parameters in the published edition, the textbook's included while its folder is there."""
    files = loading.load(ROOT, SOURCES).files
    return Params.of(merging.merged(files, "published"), files)


def needs_rows(*names: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test unless sources, data sets or experiments still have each of these rows."""
    params = shipped()
    removed = [name for name in names if name not in {*params.sources, *params.datasets, *params.experiments}]
    return pytest.mark.skipif(bool(removed), reason=f"rows were removed from this project: {', '.join(removed)}")


def settings(row: BaseModel, names: Iterable[str]) -> dict[str, Any]:
    """Return some settings of a row."""
    return {name: getattr(row, name) for name in names}


def for_rows(expected: Mapping[str, Any]) -> list[Any]:
    """Return pairs of an experiment and what is expected of it, to parametrize a test with."""
    return [pytest.param(name, value, marks=needs_rows(name)) for name, value in expected.items()]


def fewest_synthetic_examples(experiment: str, folder: Path) -> int:
    """Return how many examples the smallest split of the experiment's data set has in the synthetic edition."""
    params = shipped()
    row = params.datasets[params.experiments[experiment].dataset]
    source = load_source(params.sources[row.source].reader)
    source.synthesize(folder, params.seed)
    return min(task_named(row.task).prepare(source.read(folder), row, params.seed).examples.values())
