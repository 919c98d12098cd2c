"""The rows that this project ships with, and the mark that skips tests about rows that its user has removed."""

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pipeline.config import loading
from pipeline.config.schema.params import Params
from pipeline.sources import SOURCES

ROOT = Path(__file__).parents[1]


@functools.cache
def shipped() -> Params:
    """Return the project's parameters, those of the textbook included while its folder is there."""
    return loading.load(ROOT, SOURCES)


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
