"""What the tests of every task need: one Case for each, in the file case.py of the task's folder."""

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from pipeline.config.schema.datasets import DatasetRows
from pipeline.config.schema.networks import ExperimentRows
from pipeline.encoding.records import Encoded
from pipeline.evaluation.task import Task
from pipeline.tasks import TASKS

DATASET: TypeAdapter[Any] = TypeAdapter(Annotated[DatasetRows, Field(discriminator="task")])
EXPERIMENT: TypeAdapter[Any] = TypeAdapter(Annotated[ExperimentRows, Field(discriminator="task")])
Odd = tuple[tuple[Any, str | None], ...]


@dataclass(frozen=True)
class Trained:
    """The rows of a task in the project that tests/conftest.py trains with seed 3, and what they must give.

    `name`: of its source, data set and experiment. `source`: the reader of a published source. `dataset` and
    `experiment`: the settings of these rows, without source, data set and task.

    `figures`: metrics that evaluate must give for test and validation. `baselines`: parts of the names of baselines
    that it must give. `networks`: the (seed, fold) of each network, in order. `tested(encoded)`: the number of test
    examples, counted from the prepared data alone. `tested_on_validation`: test and validation are the same examples.
    `right_or_wrong`: test examples are independent and either right or wrong, so that McNemar's test is made.

    `fine`: a raw input that the trained model answers. `skewed(encoder)`: an encoder that prepares raw input otherwise
    than training did; for a task with raw_rows.
    """

    name: str
    source: str
    dataset: Mapping[str, Any]
    experiment: Mapping[str, Any]
    figures: frozenset[str]
    baselines: frozenset[str]
    fine: Any
    tested: Callable[[Encoded], int]
    networks: tuple[tuple[int, int], ...] = ((3, 0),)
    tested_on_validation: bool = False
    right_or_wrong: bool = False
    skewed: Callable[[dict[str, Any]], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Case:
    """A small problem for a task.

    `record`: the raw data. `row`: the settings of its data set row, without source and task. `network`: those of a
    small experiment row, without dataset and task. `truth(encoded, split, fold)`: predictions without a mistake, in the
    form that the task's `score` takes.

    `odd`: odd raw inputs, each with the pattern of the DataError that it gets from a model of any size, or None for an
    answer. `odd_options`: a known option with a wrong value each, which gets a DataError that begins with its name.

    `trained`: its part of the project that tests of later stages share.
    """

    task: Task
    record: Any
    row: Mapping[str, Any]
    network: Mapping[str, Any]
    truth: Callable[[Encoded, str, int], NDArray[Any]]
    odd: Odd
    trained: Trained
    odd_options: tuple[Mapping[str, Any], ...] = ()

    def dataset_row(self, **changes: Any) -> Any:
        """Return the typed row of `datasets`."""
        return DATASET.validate_python({"source": "made-up", "task": self.task.name, **self.row, **changes})

    def network_row(self, **changes: Any) -> Any:
        """Return the typed row of `experiments`."""
        return EXPERIMENT.validate_python({"dataset": "made-up", "task": self.task.name, **self.network, **changes})

    def encoded(self, seed: int = 0, **changes: Any) -> Encoded:
        """Return the prepared data set."""
        return self.task.prepare(self.record, self.dataset_row(**changes), seed)


def folder_of(task: Task) -> str:
    """Return the package with the modules of the task, such as pipeline.tasks.sentiment."""
    return task.prepare.__module__.rpartition(".")[0]


def in_textbook(task: Task) -> bool:
    """Check whether the task follows a chapter of the textbook, flaws included."""
    return folder_of(task).startswith("pipeline.tasks.textbook.")


@functools.cache
def _cases() -> dict[str, Case]:
    """Raise ModuleNotFoundError for a task without a case."""
    modules = {name: f"{folder_of(task)}.case".replace("pipeline.", "tests.", 1) for name, task in TASKS.items()}
    return {name: importlib.import_module(module).CASE for name, module in modules.items()}


CASES: dict[str, Case]


def __getattr__(name: str) -> Any:
    # The files of the tasks import Case from here, so they are read when CASES is first used.
    if name == "CASES":
        return _cases()
    raise AttributeError(name)
