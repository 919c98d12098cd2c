"""The one training loop: epochs over a feed, clipping, schedule, averaged weights, validation, best weights kept."""

import itertools
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pipeline.config.schema.networks import Network
from pipeline.errors import TrainingError
from pipeline.evaluation.metric import Metric
from pipeline.layers import keras
from pipeline.layers.cells import reset_states
from pipeline.training.compiled import ON_TENSORFLOW, Compiled

WARM_UP = 0.05  # share of the steps in which a cosine schedule rises to the learning rate
FLOOR = 0.001  # share of the learning rate that is left at its end
Weights = list[NDArray[np.floating[Any]]]
Batch = tuple[Any, Any, Any]  # inputs, targets, sample weights or None


class Feed(Protocol):
    """The training batches of one task. `steps`: the number of batches in an epoch."""

    steps: int

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the batches of one epoch."""
        ...


@dataclass
class Fitted:
    """The restored weights, the epoch they are from, and the course of the training.

    `history`: a row of figures for each epoch. `examples_per_second` there counts rows of the training batches (texts,
    images, windows, or chunks of parallel streams) in the time of training alone; `seconds` is the time of the whole
    epoch, with validation. `samples`: texts that the network generated after epochs.
    """

    weights: Weights
    best_epoch: int
    history: list[dict[str, float]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)


def fit(
    compiled: Compiled,
    feed: Feed,
    network: Network,
    *,
    seed: int,
    epochs: int,
    stop: int | None = None,
    validate: Callable[[], Mapping[str, float]] | None,
    monitor: Metric,
    label: str,
) -> Fitted:
    """Train in place, and leave the weights that restore_weights selects in the model.

    epochs: the length of the learning-rate schedule; stop: the epoch after which to end, if earlier.
    validate: returns validation figures, and is called after every epoch; the best epoch is that with the best
    `monitor`. Without it, the best epoch is the last.
    Raises TrainingError if a loss is not finite.
    """
    model = compiled.model
    average = _Average(compiled, network.ema_momentum)
    schedule = (_rate(network, step, feed.steps * epochs) for step in itertools.count(1))
    fitted = Fitted([], 0)
    best = np.inf
    last = stop or epochs
    with _Progress(label, last, feed.steps) as progress:
        for epoch in range(1, last + 1):
            started = time.monotonic()
            loss, examples = _one_epoch(compiled, feed, seed, epoch, schedule, average, progress)
            row = {"epoch": epoch, "loss": loss}
            speed = examples / (time.monotonic() - started)
            with average:
                figures = {} if validate is None else validate()
                row |= {f"val_{name}": value for name, value in figures.items()}
                cost = -epoch if validate is None else _finite(monitor.cost(figures), f"{label}: {monitor.name}")
                if cost < best or network.restore_weights == "last":
                    best, fitted.best_epoch, fitted.weights = cost, epoch, trainable(model)
            row |= {"examples_per_second": speed, "seconds": time.monotonic() - started}
            fitted.history.append(row)
            progress.epoch(row, monitor.name)
            if network.patience is not None and epoch - fitted.best_epoch >= network.patience:
                break
    load(model, fitted.weights)
    return fitted


def trainable(model: Any) -> Weights:
    """Copy the trainable weights, that is, without states and dropout seeds."""
    return [np.asarray(v).copy() for v in model.trainable_variables]


def load(model: Any, weights: Weights) -> None:
    """Assign `weights`, from `trainable`, to a model of the same shape."""
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)


def restart(compiled: Compiled, fresh: Any) -> None:
    """Assign the variables of a newly built model of the same shape to `compiled`, and reset its optimiser.

    This saves tracing the same graph again for every fold, repeat and refit, which can take longer than the training.
    """
    for ours, theirs in zip(compiled.model.layers, fresh.layers, strict=True):
        for variable, value in zip(ours.variables, theirs.variables, strict=True):
            variable.assign(value)
    for variable in compiled.optimizer.variables:
        if variable.path.split("/")[-1] != "learning_rate":
            variable.assign(keras.ops.zeros_like(variable.value))


def _one_epoch(
    compiled: Compiled,
    feed: Feed,
    seed: int,
    epoch: int,
    schedule: Iterator[float],
    average: "_Average",
    progress: "_Progress",
) -> tuple[float, int]:
    """Train for one epoch, and return the mean loss and the number of examples.

    The batches come from the epoch's own generator, and so do not depend on the epochs before.
    """
    reset_states(compiled.model)
    losses, examples = [], 0
    for step, (x, y, weights) in enumerate(feed.batches(np.random.default_rng([seed, epoch])), start=1):
        compiled.optimizer.learning_rate = next(schedule)
        losses.append(_finite(compiled.train(x, y, weights), f"{progress.label}: loss at step {step} of epoch {epoch}"))
        examples += len(x)
        average.update()
        progress.step()
    return float(np.mean(losses)), examples


def _finite(loss: float, what: str) -> float:
    if not np.isfinite(loss):
        raise TrainingError(f"{what} is {loss}; no model is published. Lower learning_rate, or set clip_norm to 1.0")
    return loss


def optimizer(network: Network) -> Any:
    """The network's optimiser; the rate is set at every step, see _rate."""
    kind = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
    }[network.optimizer]
    # AdamW's own default is 0.004; the others compute the same faster with None.
    decay = network.weight_decay if network.optimizer == "adamw" else network.weight_decay or None
    return kind(
        network.learning_rate,
        global_clipnorm=network.clip_norm,
        clipvalue=network.clip_value,
        weight_decay=decay,
    )


def _rate(network: Network, step: int, steps: int) -> float:
    """Return the learning rate of step 1 … steps: constant, or a cosine down to FLOOR times a linear rise over WARM_UP.

    Keras' CosineDecay starts its cosine after the rise, which changes the rates by up to 10 %, and computes in float32.
    """
    if network.schedule == "constant":
        return network.learning_rate
    share = step / steps
    fall = FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + math.cos(math.pi * share))
    return network.learning_rate * min(1.0, share / WARM_UP) * fall


class _Average:
    """The exponential average of the weights over the steps; while entered, the model holds it.

    The momentum grows with the steps, so that the first weights count little in a short training. Keras' own average
    (`use_ema`) has one momentum for all steps.
    """

    def __init__(self, compiled: Compiled, momentum: float) -> None:
        self.model, self.momentum, self.steps = compiled.model, momentum, 0
        self.values: list[Any] = []  # variables in the graph of TensorFlow, arrays on other back ends
        self.kept: Weights = []
        self._move: Callable[[float], object] = self._move_arrays
        if momentum and ON_TENSORFLOW:
            compiled.average = compiled.average or _traced_average(self.model)
            self.values, self._move = compiled.average
            for value, variable in zip(self.values, self.model.trainable_variables, strict=True):
                value.assign(variable.value)
        elif momentum:
            self.values = trainable(self.model)

    def update(self) -> None:
        if self.momentum:
            self.steps += 1
            self._move(1.0 - min(self.momentum, (1 + self.steps) / (10 + self.steps)))

    def _move_arrays(self, share: float) -> None:
        for value, variable in zip(self.values, self.model.trainable_variables, strict=True):
            value += share * (np.asarray(variable) - value)

    def __enter__(self) -> None:
        if self.momentum:
            self.kept = trainable(self.model)
            load(self.model, [np.asarray(value) for value in self.values])

    def __exit__(self, *_: object) -> None:
        if self.momentum:
            load(self.model, self.kept)


def _traced_average(model: Any) -> tuple[list[Any], Callable[[float], object]]:
    """A variable for each trained weight, and the graph that moves them by a share of their distance to the weights.

    No weight is copied to NumPy; the bytes are those of `_move_arrays`.
    """
    import tensorflow as tf

    weights = [variable.value for variable in model.trainable_variables]
    values = [tf.Variable(weight) for weight in weights]

    def move(share: Any) -> None:
        for value, weight in zip(values, weights, strict=True):
            value.assign_add(share * (weight - value))

    return values, tf.function(move, input_signature=[tf.TensorSpec([], tf.float32)], autograph=False)


class _Progress:
    """On a terminal, a progress bar with the time left; in a log, one line per epoch."""

    def __init__(self, label: str, epochs: int, steps: int) -> None:
        self.label, self.epochs = label, epochs
        self.bar = tqdm(total=epochs * steps, desc=label, unit="step", disable=not sys.stderr.isatty(), leave=False)

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def step(self) -> None:
        self.bar.update()

    def epoch(self, row: dict[str, float], monitor: str) -> None:
        shown = {"loss": row["loss"], f"validation {monitor}": row.get(f"val_{monitor}")}
        figures = ", ".join(f"{name} {value:.4f}" for name, value in shown.items() if value is not None)
        line = f"{self.label}: epoch {row['epoch']:.0f}/{self.epochs}: {figures} ({row['seconds']:.1f} s)"
        if self.bar.disable:
            print(line, flush=True)
        else:
            self.bar.set_postfix_str(figures)
