"""The arms of a study, and their trials."""

import contextlib
import functools
import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.config.schema.networks import ExperimentRows
from pipeline.config.schema.studies import StudyRow
from pipeline.encoding.records import Encoded
from pipeline.errors import ConfigError
from pipeline.studies.pool import in_child
from pipeline.studies.store import Store
from pipeline.studies.trial import Addresses, Trial
from pipeline.tasks import task_named

TOLERANCE = 0.05  # a share of the parameters by which an arm may miss them
LARGEST = 4096  # units
TIMED = 1.0  # seconds of steps from which an epoch is estimated


@dataclass(frozen=True)
class PlannedArm:
    """`settings`: what the arm changes; `matched`: what keeps it comparable; `trials`: one for each seed."""

    name: str
    settings: Mapping[str, Any]
    matched: Mapping[str, Any]
    trials: Sequence[Trial]


def planned(addresses: Addresses, store: Store, name: str, study: StudyRow, seed: int) -> list[PlannedArm]:
    """Return the arms in the order of the file. Raises ConfigError for arms that cannot be matched.

    store: keeps the measured times of epochs, so that a longer study has the same arms.
    """
    combinations = study.combinations
    matched = _matched(addresses, store, name, study)
    return [
        PlannedArm(
            title({**changes, **further}),
            changes,
            further,
            [addresses.trial({**changes, **further}, seed + i) for i in range(study.seeds)],
        )
        for changes, further in zip(combinations, matched, strict=True)
    ]


def title(settings: Mapping[str, Any]) -> str:
    """Name an arm after what it sets."""
    return " ".join(f"{name}={value}" for name, value in settings.items())


def _matched(addresses: Addresses, store: Store, name: str, study: StudyRow) -> list[dict[str, Any]]:
    """What each arm changes further, so that it has as many parameters or seconds as the experiment."""
    combinations = study.combinations
    if study.match == "units":
        return [{} for _ in combinations]
    rows = [addresses.trial(changes, 0).row for changes in combinations]
    if study.match == "parameters":
        found = in_child(lambda: [_units(addresses, row) for row in rows])
        for changes, (units, parameters, wanted) in zip(combinations, found, strict=True):
            if abs(parameters - wanted) > TOLERANCE * wanted:
                raise ConfigError(
                    f"studies.{name}.match: {title(changes)} has {parameters:,} parameters with units: {units}, the "
                    f"experiment {addresses.experiment} has {wanted:,}: no number of units comes within "
                    f"{TOLERANCE:.0%}; set match: units"
                )
        return [{"units": units} for units, _, _ in found]
    base = addresses.trial({}, 0)
    times = [
        store.remembered({"epoch of": trial.key}, functools.partial(_seconds, addresses, trial.row))
        for trial in (base, *(addresses.trial(changes, 0) for changes in combinations))
    ]
    return [{"epochs": max(1, round(addresses.row.epochs * times[0] / seconds))} for seconds in times[1:]]


def _units(addresses: Addresses, row: ExperimentRows) -> tuple[int, int, int]:
    """The units with which a network has the experiment's number of parameters; that number, and the wanted one."""

    def parameters(units: int) -> int:
        return parameters_of(row.model_copy(update={"units": units}), addresses.encoded)

    wanted = parameters_of(addresses.row, addresses.encoded)
    low, high = 1, min(LARGEST, 2 * max(row.units, addresses.row.units))
    while parameters(high) < wanted and high < LARGEST:
        high = min(LARGEST, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if parameters(middle) <= wanted else (low, middle)
    units = min((low, high), key=lambda n: abs(parameters(n) - wanted))
    return units, parameters(units), wanted


def parameters_of(row: ExperimentRows, encoded: Encoded) -> int:
    """The number of trained parameters of a network alone, one member of an ensemble."""
    estimate = importlib.import_module("pipeline.training.estimate")
    module = task_named(row.task).network()
    made = estimate.estimated(module, row, encoded, (1, 1, 1))
    return int(made.parameters)


def _seconds(addresses: Addresses, row: ExperimentRows) -> float:
    """Seconds of an epoch on one thread, from some steps in a process of its own."""

    def timed() -> float:
        importlib.import_module("pipeline.layers").use_one_thread()
        repeats = importlib.import_module("pipeline.training.repeats")
        clock = _Clock()
        in_trial = repeats.InTrial([clock], blind=True)
        one = row.model_copy(update={"refit": False, **({"ensemble": 1} if hasattr(row, "ensemble") else {})})
        with contextlib.suppress(_Enough):
            repeats.train(task_named(row.task), one, addresses.encoded, seed=0, label="timed", trial=in_trial)
        feed = task_named(row.task).network().feed(one, addresses.encoded, repeats.FIRST_FIT, 0)
        return clock.per_step() * float(feed.steps)

    return float(in_child(timed))


class _Enough(Exception):
    """The steps have taken long enough."""


class _Clock:
    """A watcher of fit() that times steps after the first, which traces the graph."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def resumes(self, rows: list[dict[str, float]]) -> None:
        """Nothing is resumed."""

    def step(self, loss: float) -> None:
        self.times.append(time.perf_counter())
        if len(self.times) > 5 and self.times[-1] - self.times[1] > TIMED:
            raise _Enough

    def epoch(self, row: Mapping[str, float]) -> None:
        """Short epochs follow each other."""

    def per_step(self) -> float:
        return (self.times[-1] - self.times[0]) / max(1, len(self.times) - 1)
