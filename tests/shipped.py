"""Tests of the rows that this project ships with, which skip themselves where a user removed the rows."""

import functools
from collections.abc import Iterable
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
    """Return the project's parameters."""
    return loading.load(ROOT, SOURCES)


def needs_rows(*experiments: str) -> pytest.MarkDecorator:
    """Return a mark for tests that read these experiments and their data sets."""
    removed = [name for name in experiments if name not in shipped().experiments]
    return pytest.mark.skipif(bool(removed), reason=f"rows were removed from this project: {', '.join(removed)}")


def settings(row: BaseModel, names: Iterable[str]) -> dict[str, Any]:
    """Return some settings of a row."""
    return {name: getattr(row, name) for name in names}
