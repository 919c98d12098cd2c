"""Load the data of a report: the results of the experiments that params.yaml names on a data set, and no others."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.encoding.records import Encoded, network_key
from pipeline.errors import DataError
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.task import Task
from pipeline.integrity import checksums

REQUIRED = (
    "experiment", "dataset", "task", "edition", "protocol", "cell", "parameters", "train_seconds", "epochs",
    "epoch_seconds", "examples_per_second", "examples", "seed", "test", "validation", "networks", "baselines",
    "against_baseline",
)  # fmt: skip
Predictions = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Result:
    """The metrics file of an experiment, and the task that explains its figures."""

    metrics: Mapping[str, Any]
    task: Task

    @property
    def metric(self) -> Metric:
        return self.task.primary_metric

    @property
    def against(self) -> Mapping[str, Any]:
        """Return the comparison with the best baseline."""
        against: Mapping[str, Any] = self.metrics["against_baseline"]
        return against

    @property
    def against_optimum(self) -> Mapping[str, Any] | None:
        """Return the comparison with the best possible predictor; None for data from an unknown process."""
        return self.metrics.get("against_optimum")


@dataclass(frozen=True)
class Experiment:
    """The results of one experiment.

    `curves`: {column: number} of each epoch. `predictions`: by network and split. `samples`: generated texts. `turn`:
    its place among the experiments on the data set, which gives its colour in every chart.
    """

    name: str
    result: Result
    curves: Sequence[Mapping[str, float]]
    predictions: Predictions
    samples: Sequence[Mapping[str, Any]]
    turn: int = 0

    @property
    def metrics(self) -> Mapping[str, Any]:
        return self.result.metrics

    def test_predictions(self) -> list[NDArray[Any]]:
        """Return the test predictions of the first network of each fold, in the order of the folds."""
        first: dict[int, int] = {}
        for i, network in enumerate(self.metrics["networks"]):
            first.setdefault(network["fold"], i)
        return [self.predictions[network_key(first[fold], "test")] for fold in sorted(first)]


@dataclass(frozen=True)
class ReportData:
    """A data set and all its results.

    `experiments`: at least one, in the order of params.yaml. `optimum`: the test figures of the best possible
    predictor, empty for data from an unknown process.
    """

    dataset: str
    task: Task
    encoded: Encoded
    experiments: Sequence[Experiment]
    baselines: Mapping[str, Mapping[str, float]]
    baseline_predictions: Predictions
    optimum: Mapping[str, float] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.encoded.summary

    @property
    def metric(self) -> Metric:
        return self.task.primary_metric

    def best_baseline(self) -> tuple[str, list[NDArray[Any]]] | None:
        """Return the best baseline that has predictions, by the primary metric, and its predictions for each fold."""
        rated = [
            n
            for n, b in self.baselines.items()
            if self.metric.name in b and network_key(n, 0) in self.baseline_predictions
        ]
        if not rated:
            return None
        best = min(rated, key=lambda name: self.metric.cost(self.baselines[name]))
        folds = range(self.facts.get("folds", 1))
        return best, [self.baseline_predictions[network_key(best, fold)] for fold in folds]


def load(project: Project, task: Task, dataset: str, names: Sequence[str]) -> ReportData:
    """Load the results of the experiments `names`. Raises DataError for the first file that is missing or damaged."""
    baselines = project.baselines(dataset)
    experiments = [_experiment(project, task, dataset, name, turn) for turn, name in enumerate(names)]
    return ReportData(
        dataset,
        task,
        artifacts.load_encoded(project.prepared(dataset)),
        experiments,
        artifacts.load_json(baselines / "metrics.json"),
        artifacts.load_arrays(baselines / "predictions.npz"),
        artifacts.load_json(baselines / "optimum.json"),
    )


def load_metrics(project: Project, dataset: str, name: str) -> dict[str, Any]:
    """Load the metrics file of an experiment. Raises DataError if it is missing, damaged, or lacks a key."""
    path = project.metrics(dataset, name)
    metrics: dict[str, Any] = artifacts.load_json(path)
    missing = [key for key in REQUIRED if key not in metrics]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; run `dvc repro evaluate@{name}` to write it again")
    return metrics


def _experiment(project: Project, task: Task, dataset: str, name: str, turn: int) -> Experiment:
    folder = project.predictions(dataset, name)
    return Experiment(
        name,
        Result(load_metrics(project, dataset, name), task),
        load_curves(project.curves(dataset, name)),
        artifacts.load_arrays(folder / "predictions.npz"),
        artifacts.load_json(folder / "samples.json"),
        turn,
    )


def load_curves(path: Path) -> list[dict[str, float]]:
    """Load a CSV file of numbers: a row for each epoch. Raises DataError if it is missing, empty or damaged."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(lines)]
    except FileNotFoundError:
        raise DataError(f"{path}: not found; run `dvc repro` to make it") from None
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: not a table of numbers ({error}); {checksums.REPAIR}") from None
    if not rows:
        raise DataError(f"{path}: no epochs; run `dvc repro` to make it")
    return rows
