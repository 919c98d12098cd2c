"""The defaults of rows of `experiments` and `datasets`, all in defaults.yaml, which DVC tracks."""

from functools import cache
from pathlib import Path
from typing import Any

from pipeline.config import plain_yaml

PATH = Path(__file__).with_name("defaults.yaml")
COMMON = "common"


def of(table: str, task: str | None) -> dict[str, Any]:
    """The defaults of a row of `table` (experiments, datasets) on `task`, or those that all tasks share."""
    blocks = _blocks()[table]
    return {**blocks[COMMON], **blocks.get(folders().get(task or "", ""), {})}


@cache
def folders() -> dict[str, str]:
    """The folder in pipeline/tasks of each task, as rows write it: {"char_windows": "textbook/char_windows", …}."""
    return {block.rpartition("/")[2]: block for block in _blocks()["experiments"] if block != COMMON}


@cache
def _blocks() -> dict[str, dict[str, dict[str, Any]]]:
    return plain_yaml.read(PATH, PATH.name)[0]
