"""Tests of the rows that this project ships with, which skip themselves where a user removed the rows."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.config import loading
from pipeline.config.schema.params import Params
from pipeline.sources import SOURCES, load_source
from pipeline.tasks import task_named

ROOT = Path(__file__).parents[1]


@functools.cache
def shipped() -> Params:
    """Return the project's parameters."""
    return loading.load(ROOT, SOURCES)


def needs_rows(*experiments: str) -> pytest.MarkDecorator:
    """Return a mark for tests that read these experiments and their data sets."""
    removed = [name for name in experiments if name not in shipped().experiments]
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
