"""Train an experiment: one network for each fold and repeat, each from its own seed, all in one process."""

import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ExperimentRows
from pipeline.encoding.records import Encoded
from pipeline.evaluation.task import Task
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Fitted, Weights, fit, optimizer, restart


@dataclass(frozen=True)
class TrainedNetwork:
    """One trained network.

    `predictions`: for validation and test, in the form that the task's score() takes, and the predictor's further
    arrays. `samples`: texts that it generated, first after epochs of the run with validation (with their `epoch`), then
    with its final weights; empty for tasks that do not generate. `epochs`: passes over the data that produced its
    weights. `history`: a row for each epoch of the run with validation.
    """

    seed: int
    fold: int
    weights: Weights
    epochs: int
    seconds: float
    parameters: int
    history: list[dict[str, float]]
    predictions: Mapping[str, NDArray[Any]]
    samples: list[dict[str, Any]]


def train(task: Task, network: ExperimentRows, encoded: Encoded, *, seed: int, label: str) -> list[TrainedNetwork]:
    """Train a network for each of `network.repeats` seeds and, within a seed, for each fold of the data set."""
    runs = [(seed + r, fold) for r in range(network.repeats) for fold in range(encoded.summary.get("folds", 1))]
    trainer = Trainer(task, network, encoded)
    names = [label if len(runs) == 1 else f"{label} [{i}/{len(runs)}]" for i in range(1, len(runs) + 1)]
    return [trainer.trained(s, fold, name) for (s, fold), name in zip(runs, names, strict=True)]


class Trainer:
    """One compiled model, in which networks are trained one after another, each as if it were the only one."""

    def __init__(self, task: Task, network: ExperimentRows, encoded: Encoded) -> None:
        self.network, self.encoded = network, encoded
        self.task, self.module = task, task.network()
        self.compiled = self._compiled(self._build())
        self.predictor = self.module.predictor(self.compiled, network, encoded)

    def trained(self, seed: int, fold: int, label: str) -> TrainedNetwork:
        """Fit on train with validation. With `refit`, fit again on both from the same seed, up to the best epoch."""
        started = time.monotonic()
        fitted_on: tuple[str, ...] = ("train",)
        fitted = self._fit(seed, fold, fitted_on, None, label)
        predictions = {"validation": self.predictor.predict("validation", fitted_on, fold)}
        history, checkpoints = fitted.history, fitted.samples
        if self.network.refit:
            fitted_on = ("train", "validation")
            fitted = self._fit(seed, fold, fitted_on, fitted.best_epoch, f"{label} (refit)")
        seconds = time.monotonic() - started
        predictions["test"] = self.predictor.predict("test", fitted_on, fold)
        if self.predictor.further_arrays is not None:
            predictions |= self.predictor.further_arrays(fitted_on, fold)
        size = int(sum(np.prod(w.shape) for w in fitted.weights))
        samples = checkpoints + (self.predictor.samples(seed) if self.predictor.samples else [])
        return TrainedNetwork(
            seed, fold, fitted.weights, fitted.best_epoch, seconds, size, history, predictions, samples
        )

    def _compiled(self, model: Any) -> Any:
        if self.module.compiled is not None:
            return self.module.compiled(self.network, model)
        return Compiled(model, self.module.loss(self.network), optimizer(self.network))

    def _build(self) -> Any:
        return self.module.build(
            self.network, self.encoded.encoder, self.network.batch_size if self.network.stateful else None
        )

    def _fit(self, seed: int, fold: int, splits: tuple[str, ...], refit: int | None, label: str) -> Fitted:
        # Keras draws the seeds of initialisers and dropout from Python's generator. Its set_random_seed would also seed
        # TensorFlow's, which is not used here, and make it optimise every graph again: two seconds per network.
        random.seed(seed)
        restart(self.compiled, self._build())
        if self.module.start is not None:
            self.module.start(self.compiled.model, self.network, self.encoded, splits, fold)
        epochs, written = itertools.count(1), list[dict[str, Any]]()

        def validate() -> dict[str, float]:
            # Checkpoints use generators of their own, so that the training is the same with and without them.
            if self.predictor.checkpoint is not None:
                epoch = next(epochs)
                written.extend(self.predictor.checkpoint(epoch, seed, epoch == self.network.epochs))
            return self.task.score(self.encoded, "validation", self.predictor.predict("validation", splits, fold), fold)

        fitted = fit(
            self.compiled,
            self.module.feed(self.network, self.encoded, splits, fold),
            self.network,
            seed=seed,
            epochs=self.network.epochs,
            stop=refit,
            validate=validate if refit is None else None,
            monitor=self.task.monitor,
            label=label,
        )
        return replace(fitted, samples=written)


def mean_history(networks: list[TrainedNetwork]) -> list[dict[str, float]]:
    """Return a row for each epoch: the mean over the networks that were still in training."""
    longest = max((m.history for m in networks), key=len)
    rows = []
    for i, first in enumerate(longest):
        same = [m.history[i] for m in networks if i < len(m.history)]
        rows.append({name: float(np.mean([row[name] for row in same])) for name in first})
    return rows
