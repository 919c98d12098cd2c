"""A trial: one training of an experiment's network from one seed, with some of its settings changed.

Trials are addressed by what they are made of: settings, seed, data and the code that trains. So the same trial in two
studies is trained once, and a study that was stopped goes on where it was.
"""

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import defaults
from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.params import Params
from pipeline.encoding.records import Encoded, network_key
from pipeline.errors import ConfigError
from pipeline.evaluation import scoring
from pipeline.evaluation.task import Task
from pipeline.integrity import checksums
from pipeline.tasks import task_named
from pipeline.tracking.record import now

CODE = Path(__file__).parents[1]  # the folder pipeline/
ROWS: TypeAdapter[ExperimentRows] = TypeAdapter(ExperimentRows)
# What a trial does not measure, and how many processes compute it.
NOT_COMPARED = {"repeats": 1, "gradients": False, "adaptive_rate": 0.0, "workers": 1}
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class Trial:
    """What is trained. `settings`: the whole row of the experiment, JSON-able. `blind`: without the test part."""

    settings: Mapping[str, Any]
    seed: int
    blind: bool
    key: str

    @property
    def row(self) -> ExperimentRows:
        return ROWS.validate_python(dict(self.settings))


@dataclass(frozen=True)
class TrialResult:
    """What came of a trial.

    `validation`, `test`: {metric: value}; `losses`: float64 [test examples]; a blind trial has no test figures.
    `seconds`: of training; `memory`: MB of the process at its peak. `history`: a row for each epoch of the first fit.
    `start`: of the training, milliseconds since 1970. `digest`: sha256 of all predictions, equal for equal trainings.
    """

    validation: Mapping[str, float]
    test: Mapping[str, float]
    losses: NDArray[np.float64]
    parameters: int
    epochs: int
    seconds: float
    memory: float
    history: list[dict[str, float]]
    start: int
    digest: str


@dataclass(frozen=True)
class Addresses:
    """Makes the trials of one experiment. Hashes its data and the code once."""

    project: Project
    params: Params
    experiment: str

    @cached_property
    def row(self) -> ExperimentRows:
        """The experiment's row, without what a trial does not measure."""
        row = self.params.experiment(self.experiment)
        return row.model_copy(update={k: v for k, v in NOT_COMPARED.items() if k in type(row).model_fields})

    @cached_property
    def encoded(self) -> Encoded:
        folder = self.project.prepared(self.row.dataset)
        checksums.check(folder)
        return artifacts.load_encoded(folder)

    @cached_property
    def _made_of(self) -> Mapping[str, Any]:
        checkpoint = importlib.import_module("pipeline.training.checkpoint")  # imports TensorFlow
        folder = f"tasks/{defaults.folders()[self.row.task]}"
        made_of: Mapping[str, Any] = checkpoint.key({}, self.encoded, CODE, folder, self.row.backend)
        return made_of

    def trial(self, changes: Mapping[str, Any], seed: int, *, blind: bool = False) -> Trial:
        """The experiment with these settings changed. Raises pydantic's ValidationError for values that cannot be."""
        settings = ROWS.validate_python({**self.row.model_dump(), **changes}).model_dump(mode="json")
        made_of = {**self._made_of, "settings": settings, "seed": seed, "blind": blind}
        made_of["edition"] = self.params.edition
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:40]
        return Trial(settings, seed, blind, key)


def run(project: Project, trial: Trial, report: Report | None = None) -> TrialResult:
    """Train in this process, on one thread, so that the bytes do not depend on how many trainings run at once.

    report: is told the number of each finished epoch, counted over all folds and members, and the validation figure
    that picks the best epoch. Raises TrainingError if a loss is not finite.
    """
    importlib.import_module("pipeline.layers").use_one_thread()
    repeats, start = importlib.import_module("pipeline.training.repeats"), now()
    row, task = trial.row, task_named(trial.row.task)
    encoded = artifacts.load_encoded(project.prepared(row.dataset))
    if trial.blind:
        encoded = without_test(task, encoded)
    watchers = [] if report is None else [_Reporter(report, f"val_{task.monitor.name}")]
    in_trial = repeats.InTrial(watchers, trial.blind)
    trained = repeats.train(task, row, encoded, seed=trial.seed, label="trial", trial=in_trial)
    predictions = {network_key(i, part): p for i, m in enumerate(trained) for part, p in m.predictions.items()}
    validation, test, losses = _scores(task, encoded, trained, predictions, trial.blind)
    return TrialResult(
        validation=validation,
        test=test,
        losses=losses,
        parameters=trained[0].parameters,
        epochs=max(network.epochs for network in trained),
        seconds=sum(network.seconds for network in trained),
        memory=peak_memory(),
        history=repeats.mean_history(trained),
        start=start,
        digest=_digest(predictions),
    )


def without_test(task: Task, encoded: Encoded) -> Encoded:
    """The data set as a blind trial may see it. Raises ConfigError if validation is the test part."""
    if task.blind is None:
        raise ConfigError(f"{task.name}: has no validation part apart from its test part, so no blind trials")
    return task.blind(encoded)


def _scores(
    task: Task, encoded: Encoded, trained: Any, predictions: Mapping[str, NDArray[Any]], blind: bool
) -> tuple[dict[str, float], dict[str, float], NDArray[np.float64]]:
    networks = [{"seed": m.seed, "fold": m.fold} for m in trained]
    if blind:
        rows = [
            task.score(encoded, "validation", predictions[network_key(i, "validation")], m.fold)
            for i, m in enumerate(trained)
        ]
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}, {}, np.zeros(0)
    figures = scoring.figures(task, encoded, networks, predictions)
    return figures["validation"], figures["test"], scoring.test_losses(task, encoded, networks, predictions)


def _digest(predictions: Mapping[str, NDArray[Any]]) -> str:
    found = hashlib.sha256()
    for name in sorted(predictions):
        array = np.ascontiguousarray(predictions[name])
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return found.hexdigest()


def peak_memory() -> float:
    """MB of this process at its peak."""
    resource = importlib.import_module("resource")  # Windows has none
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1e6 if sys.platform == "darwin" else 1e3)


class _Reporter:
    """A watcher of fit() that passes the validation figure of each epoch on."""

    def __init__(self, report: Report, figure: str) -> None:
        self.report, self.figure, self.epochs = report, figure, 0

    def resumes(self, rows: list[dict[str, float]]) -> None:
        """Trials have no checkpoints."""

    def step(self, loss: float) -> None:
        """Only epochs are reported."""

    def epoch(self, row: Mapping[str, float]) -> None:
        self.epochs += 1
        self.report(self.epochs, float(row[self.figure]))
