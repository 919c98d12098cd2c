"""Train an experiment: one network for each fold and repeat, each from its own seed, all in one process."""

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ExperimentRows
from pipeline.encoding.records import Encoded
from pipeline.evaluation.task import Task
from pipeline.layers.ensemble import members
from pipeline.progress import Progress
from pipeline.training.checkpoint import Checkpoints, Keeper, numbered, ungrouped
from pipeline.training.compiled import Compiled
from pipeline.training.course import Feed, InTrial
from pipeline.training.crew import Crew
from pipeline.training.estimate import Announcement, largest_batch, refuse_too_large
from pipeline.training.fit import Fitted, Weights, fit, load, optimizer, restart, trainable
from pipeline.training.lines import say
from pipeline.training.parallel import Parallel

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
    trial: InTrial | None = None,
    crew: Crew | None = None,
) -> list[TrainedNetwork]:
    """Train a network for each of `network.repeats` seeds and, within a seed, for each fold of the data set.

    An ensemble is one network with several members, each trained by itself.

    checkpoints: where an interrupted training goes on; progress: is told how it goes on; trial: what a training that
    only compares settings leaves out; crew: the other workers. Raises ConfigError if there is not enough memory, and
    WorkerLost.
    """
    runs = [(seed + r, fold) for r in range(network.repeats) for fold in range(encoded.summary.get("folds", 1))]
    total = len(runs) * size_of(network)
    feed = task.network().feed(network, encoded, FIRST_FIT, 0)
    others = 0 if crew is None else crew.here
    made = refuse_too_large(label, task.network(), one_of(network), encoded, largest_batch(feed), others=others)
    trainer = Trainer(task, network, encoded, checkpoints, progress, total, crew)
    trainer.feed = feed
    trainer.trial = trial
    if trial is None:
        trainer.announcement = Announcement(label, made, feed.steps, network.epochs, total, network.refit_length)
    return [trainer.trained(s, fold, label, i) for i, (s, fold) in enumerate(runs)]


def size_of(network: ExperimentRows) -> int:
    """Return the number of members of an ensemble; 1 for a network alone."""
    return int(getattr(network, "ensemble", 1))


def one_of(network: ExperimentRows) -> ExperimentRows:
    """Return the settings of a member of an ensemble; those of a network alone as they are."""
    return network if size_of(network) == 1 else network.model_copy(update={"ensemble": 1})


def streams(network: ExperimentRows, workers: int) -> int | None:
    """Return the streams that a stateful network carries states of, in each worker; None for another network."""
    return network.batch_size // workers if network.stateful else None


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
        crew: Crew | None = None,
    ) -> None:
        self.whole, self.network, self.encoded = network, one_of(network), encoded
        self.checkpoints, self.progress, self.runs, self.crew = checkpoints, progress, runs, crew
        self.feed: Feed | None = None  # of the first fit on fold 0, if it has been made already
        self.announcement: Announcement | None = None
        self.trial: InTrial | None = None
        self.task, self.module = task, task.network()
        self.compiled = self._compiled(self._build(self.network))
        self.predictor = self.module.predictor(self.compiled, self.network, encoded)
        self.served, self.reader = self.compiled, self.predictor  # what predicts the test
        if self.whole is not self.network:
            self.served = Compiled(self._build(self.whole))
            self.reader = self.module.predictor(self.served, self.whole, encoded)

    def trained(self, seed: int, fold: int, label: str, number: int = 0) -> TrainedNetwork:
        """Fit on train with validation. With `refit`, fit again on both, from the same seed and up to the best epoch.

        With `refit_epochs`, the refit goes on from the validated weights. Each member of an ensemble has its own seed
        and best epoch. number: of the network, from 0. A network trained before an interruption is loaded.
        """
        started, size = time.monotonic(), size_of(self.whole)
        done = self._load(f"network-{number}", _numbered(label, number, self.runs // size))
        if done is not None:
            return _unpacked(*done)
        seeds = [(seed + self.whole.repeats * i, number * size + i) for i in range(size)]
        firsts = [self._validated(s, fold, _numbered(label, n, self.runs), n) for s, n in seeds]
        fits, fitted_on, earlier = [first.fitted for first in firsts], FIRST_FIT, sum(f.fitted.earlier for f in firsts)
        validation, passes = firsts[0].predictions, [first.fitted.best_epoch for first in firsts]
        if size > 1:
            self._join(fits)
            validation = self.reader.predict("validation", FIRST_FIT, fold)
        if self.network.refit:
            fitted_on, more = REFIT, self.network.refit_epochs
            passes = [epochs + (more or 0) for epochs in passes]
            fits = [
                self._fit(
                    s, fold, REFIT, more or first.fitted.best_epoch, f"{_numbered(label, n, self.runs)} (refit)", n,
                    start=first.fitted.weights if more else None,
                )
                for (s, n), first in zip(seeds, firsts, strict=True)
            ]  # fmt: skip
            earlier += sum(fitted.earlier for fitted in fits)
            self._join(fits)
        seconds = earlier + time.monotonic() - started
        predictions = {"validation": validation}
        if self.trial is None or not self.trial.blind:
            predictions["test"] = self.reader.predict("test", fitted_on, fold)
        if self.trial is None and self.reader.further_arrays is not None:
            predictions |= self.reader.further_arrays(fitted_on, fold)
        network = TrainedNetwork(
            seed=seed,
            fold=fold,
            weights=fits[0].weights if size == 1 else trainable(self.served.model),
            epochs=max(passes),
            seconds=seconds,
            parameters=sum(int(np.prod(w.shape)) for fitted in fits for w in fitted.weights),
            history=firsts[0].fitted.history if size == 1 else mean_history([f.fitted for f in firsts]),
            predictions=predictions,
            samples=firsts[0].fitted.samples + self._samples(seed),
        )
        self._save(f"network-{number}", *_packed(network))
        return network

    def _samples(self, seed: int) -> list[dict[str, Any]]:
        return self.reader.samples(seed) if self.trial is None and self.reader.samples is not None else []

    def _join(self, fits: Sequence[Fitted]) -> None:
        """Put the members' weights into the ensemble; a network alone has its own already."""
        if self.served is not self.compiled:
            for member, fitted in zip(members(self.served.model), fits, strict=True):
                load(member, fitted.weights)

    def _validated(self, seed: int, fold: int, label: str, number: int) -> Validated:
        """Fit on train, and predict validation. The result is kept while the refit or other members follow."""
        kept = self.network.refit or self.whole is not self.network
        done = self._load(f"validated-{number}", label) if kept else None
        if done is not None:
            arrays, facts = done
            return Validated(Fitted(ungrouped("weights", arrays), **facts), arrays["validation"])
        started = time.monotonic()
        fitted = self._fit(seed, fold, FIRST_FIT, None, label, number)
        predictions = self.predictor.predict("validation", FIRST_FIT, fold)
        if kept:
            seconds = fitted.earlier + time.monotonic() - started
            names = ("best_epoch", "history", "samples")
            facts = {name: getattr(fitted, name) for name in names}
            arrays = {"validation": predictions, **numbered("weights", fitted.weights)}
            self._save(f"validated-{number}", arrays, {**facts, "earlier": seconds})
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
        loss, update = self.module.loss(self.network), optimizer(self.network)
        return Compiled(model, loss, update) if self.crew is None else Parallel(model, loss, update, self.crew)

    def _build(self, network: ExperimentRows) -> Any:
        return self.module.build(network, self.encoded.encoder, streams(network, self.crew.workers if self.crew else 1))

    def _fit(
        self, seed: int, fold: int, splits: tuple[str, ...], refit: int | None, label: str, number: int = 0,
        start: Weights | None = None,
    ) -> Fitted:  # fmt: skip
        # Keras draws the seeds of initialisers and dropout from Python's generator. Its set_random_seed would also seed
        # TensorFlow's, which is not used here, and make it optimise every graph again: two seconds per network.
        random.seed(seed)
        restart(self.compiled, self._build(self.network))
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
            epochs=self.network.epochs if start is None else self.network.refit_length,
            stop=refit,
            start=start,
            validate=validate if refit is None else None,
            monitor=self.task.monitor,
            label=label,
            write=None if refit or self.trial or self.predictor.checkpoint is None else write,
            keeper=None if self.checkpoints is None else Keeper(self.checkpoints, f"{number} {phase}"),
            watchers=[watcher for watcher in (self.progress, self.announcement) if watcher is not None]
            + list(self.trial.watchers if self.trial and refit is None else ()),
        )

    def _epochs_after(self, number: int, phase: str) -> int:
        """The number of epochs after this phase of this network, at most."""
        refit = self.network.refit_length
        return (refit if phase == "train" else 0) + (self.network.epochs + refit) * (self.runs - number - 1)


def _numbered(label: str, number: int, total: int) -> str:
    return label if total <= 1 else f"{label} [{number + 1}/{total}]"


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


def mean_history(networks: Sequence[TrainedNetwork | Fitted]) -> list[dict[str, float]]:
    """Return a row for each epoch: the mean over the networks that were still in training."""
    longest = max((m.history for m in networks), key=len)
    rows = []
    for i, first in enumerate(longest):
        same = [m.history[i] for m in networks if i < len(m.history)]
        rows.append({name: float(np.mean([row[name] for row in same])) for name in first})
    return rows
