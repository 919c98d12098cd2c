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
from pipeline.evaluation.metric import cost_of
from pipeline.layers import keras
from pipeline.layers.cells import reset_states
from pipeline.training.compiled import ON_TENSORFLOW, Compiled

WARM_UP = 0.05  # share of the steps in which a cosine schedule rises to the learning rate
FLOOR = 0.001  # share of the learning rate that is left at its end
Weights = list[NDArray[np.floating[Any]]]
Batch = tuple[Any, Any, Any]  # inputs, targets, sample weights or None


class Feed(Protocol):
    """The training batches of one task. `steps`: how many there are in an epoch."""

    steps: int

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]: ...


@dataclass
class Fitted:
    """The weights of the best epoch, and how they came about; `history`: a row for each epoch.

    `examples_per_second` there: rows of the training batches (texts, images, windows, or the chunks of parallel
    streams) by the time of the epoch's training alone; `seconds`: of the whole epoch, with validation.
    `samples`: what the network generated on the way.
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
    monitor: str,
    label: str,
) -> Fitted:
    """Train in place and leave the best weights in the model.

    epochs: what the learning-rate schedule is laid out for; stop: the epoch after which to end, if earlier.
    validate: figures of the validation part, asked after every epoch; the epoch with the best `monitor` among them is
    kept. None keeps the last epoch.
    Raises TrainingError when a loss is not finite.
    """
    model = compiled.model
    average = _Average(compiled, network.average)
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
                cost = -epoch if validate is None else _finite(cost_of(monitor, figures), f"{label}: {monitor}")
                if cost < best or network.keep == "last":
                    best, fitted.best_epoch, fitted.weights = cost, epoch, trainable(model)
            row |= {"examples_per_second": speed, "seconds": time.monotonic() - started}
            fitted.history.append(row)
            progress.epoch(row, monitor)
            if network.patience is not None and epoch - fitted.best_epoch >= network.patience:
                break
    load(model, fitted.weights)
    return fitted


def trainable(model: Any) -> Weights:
    """Copies of the trained weights; states and seeds of dropout are not among them."""
    return [np.asarray(v).copy() for v in model.trainable_variables]


def load(model: Any, weights: Weights) -> None:
    """Put `weights` (of `trainable`) into a model of the same shape."""
    for variable, value in zip(model.trainable_variables, weights, strict=True):
        variable.assign(value)


def restart(compiled: Compiled, fresh: Any) -> None:
    """The variables of a newly built model `fresh` of the same shape put into `compiled`, all else as at first.

    Saves tracing the same graph again for every fold, repeat and refit, which takes longer than many a training.
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
    """The mean training loss and the number of examples. The epoch's own generator makes its batches independent of
    the epochs before."""
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
    options: dict[str, Any] = {"weight_decay": network.weight_decay} if network.weight_decay else {}
    return kind(network.learning_rate, global_clipnorm=network.clip_norm, clipvalue=network.clip_value, **options)


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
    """A bar with the time left on a terminal, one line for each epoch in a log."""

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
