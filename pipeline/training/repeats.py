"""Train an experiment: one network for each fold and repeat, each from its own seed, all in one process."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ExperimentRows
from pipeline.encoding.records import Encoded
from pipeline.evaluation.task import Task
from pipeline.progress import Progress
from pipeline.training.checkpoint import Checkpoints, Keeper, numbered, ungrouped
from pipeline.training.compiled import Compiled
from pipeline.training.course import Feed
from pipeline.training.estimate import Announcement, largest_batch, refuse_too_large
from pipeline.training.fit import Fitted, Weights, fit, optimizer, restart
from pipeline.training.lines import say

FIRST_FIT: tuple[str, ...] = ("train",)
REFIT: tuple[str, ...] = ("train", "validation")


class Validated(NamedTuple):
    """The run with validation, and the predictions for validation after it."""

    fitted: Fitted
    predictions: NDArray[Any]


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


def train(
    task: Task,
    network: ExperimentRows,
    encoded: Encoded,
    *,
    seed: int,
    label: str,
    checkpoints: Checkpoints | None = None,
    progress: Progress | None = None,
) -> list[TrainedNetwork]:
    """Train a network for each of `network.repeats` seeds and, within a seed, for each fold of the data set.

    checkpoints: where an interrupted training goes on; progress: is told how it goes on. Raises ConfigError if there is
    not enough memory.
    """
    runs = [(seed + r, fold) for r in range(network.repeats) for fold in range(encoded.summary.get("folds", 1))]
    feed = task.network().feed(network, encoded, FIRST_FIT, 0)
    made = refuse_too_large(label, task.network(), network, encoded, largest_batch(feed))
    trainer = Trainer(task, network, encoded, checkpoints, progress, len(runs))
    trainer.feed = feed
    trainer.announcement = Announcement(label, made, feed.steps, network.epochs, len(runs), network.refit)
    names = [label if len(runs) == 1 else f"{label} [{i}/{len(runs)}]" for i in range(1, len(runs) + 1)]
    return [trainer.trained(s, fold, name, i) for i, ((s, fold), name) in enumerate(zip(runs, names, strict=True))]


class Trainer:
    """One compiled model, in which networks are trained one after another, each as if it were the only one."""

    def __init__(
        self,
        task: Task,
        network: ExperimentRows,
        encoded: Encoded,
        checkpoints: Checkpoints | None = None,
        progress: Progress | None = None,
        runs: int = 1,
    ) -> None:
        self.network, self.encoded = network, encoded
        self.checkpoints, self.progress, self.runs = checkpoints, progress, runs
        self.feed: Feed | None = None  # of the first fit on fold 0, if it has been made already
        self.announcement: Announcement | None = None
        self.task, self.module = task, task.network()
        self.compiled = self._compiled(self._build())
        self.predictor = self.module.predictor(self.compiled, network, encoded)

    def trained(self, seed: int, fold: int, label: str, number: int = 0) -> TrainedNetwork:
        """Fit on train with validation. With `refit`, fit again on both from the same seed, up to the best epoch.

        number: of the network, from 0. A network that was trained before an interruption is loaded.
        """
        done = self._load(f"network-{number}", label)
        if done is not None:
            return _unpacked(*done)
        started = time.monotonic()
        first = self._validated(seed, fold, label, number)
        fitted, fitted_on, earlier = first.fitted, FIRST_FIT, first.fitted.earlier
        if self.network.refit:
            fitted_on = REFIT
            fitted = self._fit(seed, fold, fitted_on, first.fitted.best_epoch, f"{label} (refit)", number)
            earlier += fitted.earlier
        seconds = earlier + time.monotonic() - started
        predictions = {"validation": first.predictions, "test": self.predictor.predict("test", fitted_on, fold)}
        if self.predictor.further_arrays is not None:
            predictions |= self.predictor.further_arrays(fitted_on, fold)
        size = int(sum(np.prod(w.shape) for w in fitted.weights))
        samples = first.fitted.samples + (self.predictor.samples(seed) if self.predictor.samples else [])
        network = TrainedNetwork(
            seed, fold, fitted.weights, fitted.best_epoch, seconds, size, first.fitted.history, predictions, samples
        )
        self._save(f"network-{number}", *_packed(network))
        return network

    def _validated(self, seed: int, fold: int, label: str, number: int) -> Validated:
        """Fit on train, and predict validation."""
        done = self._load(f"validated-{number}", label) if self.network.refit else None
        if done is not None:
            arrays, facts = done
            return Validated(Fitted([], **facts), arrays["validation"])
        started = time.monotonic()
        fitted = self._fit(seed, fold, FIRST_FIT, None, label, number)
        predictions = self.predictor.predict("validation", FIRST_FIT, fold)
        if self.network.refit:
            seconds = fitted.earlier + time.monotonic() - started
            names = ("best_epoch", "history", "samples")
            facts = {name: getattr(fitted, name) for name in names}
            self._save(f"validated-{number}", {"validation": predictions}, {**facts, "earlier": seconds})
        return Validated(fitted, predictions)

    def _load(self, name: str, label: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        found = None if self.checkpoints is None else self.checkpoints.load(name)
        if found is not None:
            say(f"{label}: trained before the interruption" + (", all but the refit" if "validated" in name else ""))
        return found

    def _save(self, name: str, arrays: Mapping[str, NDArray[Any]], facts: dict[str, Any]) -> None:
        if self.checkpoints is not None and self.checkpoints.due():
            self.checkpoints.save(name, arrays, facts)

    def _compiled(self, model: Any) -> Any:
        if self.module.compiled is not None:
            return self.module.compiled(self.network, model)
        return Compiled(model, self.module.loss(self.network), optimizer(self.network))

    def _build(self) -> Any:
        return self.module.build(
            self.network, self.encoded.encoder, self.network.batch_size if self.network.stateful else None
        )

    def _fit(
        self, seed: int, fold: int, splits: tuple[str, ...], refit: int | None, label: str, number: int = 0
    ) -> Fitted:
        # Keras draws the seeds of initialisers and dropout from Python's generator. Its set_random_seed would also seed
        # TensorFlow's, which is not used here, and make it optimise every graph again: two seconds per network.
        random.seed(seed)
        restart(self.compiled, self._build())
        if self.module.start is not None:
            self.module.start(self.compiled.model, self.network, self.encoded, splits, fold)
        made, self.feed = self.feed if (splits, fold) == (FIRST_FIT, 0) else None, None
        feed = made or self.module.feed(self.network, self.encoded, splits, fold)
        phase: Literal["train", "refit"] = "train" if refit is None else "refit"
        if self.progress is not None:
            after = self._epochs_after(number, phase)
            self.progress.begins(number + 1, self.runs, phase, refit or self.network.epochs, feed.steps, after)

        def validate() -> Mapping[str, float]:
            return self.task.score(self.encoded, "validation", self.predictor.predict("validation", splits, fold), fold)

        def write(epoch: int) -> list[dict[str, Any]]:
            # Checkpoints use generators of their own, so that the training is the same with and without them.
            assert self.predictor.checkpoint is not None
            return self.predictor.checkpoint(epoch, seed, epoch == self.network.epochs)

        return fit(
            self.compiled,
            feed,
            self.network,
            seed=seed,
            epochs=self.network.epochs,
            stop=refit,
            validate=validate if refit is None else None,
            monitor=self.task.monitor,
            label=label,
            write=write if refit is None and self.predictor.checkpoint is not None else None,
            keeper=None if self.checkpoints is None else Keeper(self.checkpoints, f"{number} {phase}"),
            watchers=[watcher for watcher in (self.progress, self.announcement) if watcher is not None],
        )

    def _epochs_after(self, number: int, phase: str) -> int:
        """The number of epochs after this phase of this network, at most."""
        phases = 2 if self.network.refit else 1
        here = phases - 1 if phase == "train" else 0
        return self.network.epochs * (here + phases * (self.runs - number - 1))


def _packed(network: TrainedNetwork) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The network as arrays and facts, which JSON can hold."""
    facts = {f.name: getattr(network, f.name) for f in fields(network) if f.name not in ("weights", "predictions")}
    predictions = {f"predictions/{name}": array for name, array in network.predictions.items()}
    return {**numbered("weights", network.weights), **predictions}, facts


def _unpacked(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> TrainedNetwork:
    """The network from what _packed returned."""
    start = "predictions/"
    predictions = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    return TrainedNetwork(weights=ungrouped("weights", arrays), predictions=predictions, **facts)


def mean_history(networks: list[TrainedNetwork]) -> list[dict[str, float]]:
    """Return a row for each epoch: the mean over the networks that were still in training."""
    longest = max((m.history for m in networks), key=len)
    rows = []
    for i, first in enumerate(longest):
        same = [m.history[i] for m in networks if i < len(m.history)]
        rows.append({name: float(np.mean([row[name] for row in same])) for name in first})
    return rows
