"""A search without any training: trials whose validation figures come from a known function, and a pool of them."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.config.schema.tunings import TuningRow
from pipeline.studies.pool import Done, Event, Failed, Reported
from pipeline.studies.search import Search
from pipeline.studies.store import Store
from pipeline.studies.trial import Trial, TrialResult

Function = Callable[[Mapping[str, Any], int], float]  # of the settings and the epoch
EPOCHS = 10
OWN = {"units": 400, "dropout": 0.5, "cell": "lstm"}
SPACE = {
    "units": {"int": [64, 512], "log": True},
    "dropout": {"float": [0.0, 0.6]},
    "cell": {"choice": ["lstm", "gru"]},
}


def bowl(settings: Mapping[str, Any], epoch: int) -> float:
    """Best at 128 units, no dropout and a GRU, where it is 1.0 after the last epoch."""
    distance = np.log2(settings["units"] / 128) ** 2 + 4 * settings["dropout"] + (settings["cell"] != "gru")
    return float(1.0 + distance + (EPOCHS - epoch) / EPOCHS)


def made(settings: Mapping[str, Any]) -> Trial:
    key = hashlib.sha256(json.dumps(dict(settings), sort_keys=True).encode()).hexdigest()[:40]
    return Trial(dict(settings), 0, True, key)


def result(trial: Trial, function: Function = bowl, figure: str = "cost") -> TrialResult:
    values = [function(trial.settings, epoch) for epoch in range(1, EPOCHS + 1)]
    history = [{"epoch": at, "seconds": 0.1, f"val_{figure}": value} for at, value in enumerate(values, start=1)]
    return TrialResult({figure: values[-1]}, {}, np.zeros(0), 5, EPOCHS, 1.5, 0.0, history, 0, trial.key)


class KnownPool:
    """Answers each trial epoch after epoch, all that run in turn. `ended`: those that were stopped, by their epoch."""

    def __init__(
        self,
        workers: int = 1,
        function: Function = bowl,
        fails: Callable[[Any], bool] = lambda _: False,
        figure: str = "cost",
        store: Store | None = None,
    ) -> None:
        self.workers, self.function, self.fails, self.figure, self.store = workers, function, fails, figure, store
        self.running: deque[tuple[Trial, int]] = deque()
        self.submitted: list[Trial] = []
        self.ended: dict[str, int] = {}
        self.results: dict[str, TrialResult] = {}

    def submit(self, trial: Trial) -> None:
        assert len(self.running) < self.workers
        self.submitted.append(trial)
        self.running.append((trial, 1))

    def next(self) -> Event:
        trial, epoch = self.running.popleft()
        if self.fails(trial.settings):
            return Failed(trial, "its loss is not finite")
        if epoch > EPOCHS:
            self.results[trial.key] = result(trial, self.function, self.figure)
            if self.store is not None:
                self.store.save(trial, self.results[trial.key])
            return Done(trial, self.results[trial.key])
        self.running.append((trial, epoch + 1))
        return Reported(trial, epoch, self.function(trial.settings, epoch))

    def stop(self, trial: Trial) -> None:
        self.ended |= {one.key: epoch - 1 for one, epoch in self.running if one.key == trial.key}
        self.running = deque(pair for pair in self.running if pair[0].key != trial.key)

    def close(self) -> None:
        self.running.clear()


def searched(pool: KnownPool, **changes: Any) -> Search:
    """A search whose trials the pool answers. changes: of the row, or seed, own and random."""
    row = {"experiment": "e", "space": SPACE, "trials": 20, "pruning": "none"} | changes
    further = {name: row.pop(name) for name in ("seed", "own", "random") if name in row}
    plan: dict[str, Any] = {"seed": 1, "own": OWN} | further
    return Search(
        name="known",
        row=TuningRow.model_validate(row),
        made=made,
        stored=lambda trial: pool.results.get(trial.key),
        figure="cost",
        higher_is_better=False,
        epochs=EPOCHS,
        **plan,
    )
