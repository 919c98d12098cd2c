"""The one training loop: epochs over a feed, clipping, schedule, averaged weights, validation, best weights kept."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.config.schema.networks import Network
from pipeline.evaluation.metric import Metric
from pipeline.layers import keras
from pipeline.training import optimizers
from pipeline.training.average import Average, Weights, load, trainable
from pipeline.training.compiled import ON_TENSORFLOW, Compiled
from pipeline.training.course import Batch, Course, Feed, Fitted, Keeper, Watcher, batches, last_tenth
from pipeline.training.explosion import finite, refuse_explosion
from pipeline.training.lines import Lines

__all__ = ["Batch", "Fitted", "Weights", "fit", "load", "optimizer", "restart", "trainable"]

WARM_UP = 0.05  # share of the steps in which a cosine schedule rises to the learning rate
FLOOR = 0.001  # share of the learning rate that is left at its end


def fit(
    compiled: Compiled,
    feed: Feed,
    network: Network,
    *,
    seed: int,
    epochs: int,
    stop: int | None = None,
    start: Weights | None = None,
    validate: Callable[[], Mapping[str, float]] | None,
    monitor: Metric,
    label: str,
    write: Callable[[int], list[dict[str, Any]]] | None = None,
    keeper: Keeper | None = None,
    watchers: Sequence[Watcher] = (),
) -> Fitted:
    """Train in place, and leave the weights that restore_weights selects in the model.

    epochs: the length of the learning-rate schedule; stop: the epoch after which to end, if earlier; start: weights to
    begin with, in place of those in the model.
    validate: returns validation figures, and is called after every epoch; the best epoch is that with the best
    `monitor`. Without it, the best epoch is the last. write: generates texts after an epoch.
    Raises TrainingError if a loss or a weight is not finite, or if the losses have exploded.
    """
    untrained = trainable(compiled.model)
    if start is not None:
        load(compiled.model, start)
    course = Course(compiled, Average(compiled.model, network.ema_momentum))
    last = stop or epochs
    with Lines(label, last, feed.steps, watchers) as progress:
        if keeper is not None and keeper.resume(course):
            progress.resumes(course.fitted.history)
        fitted = course.fitted
        while course.epoch < last and not _enough(network, course):
            started = time.monotonic()
            loss, examples = _one_epoch(course, feed, network, seed, epochs, progress)
            epoch, speed = course.epoch + 1, examples / (time.monotonic() - started)
            row = {"epoch": epoch, "loss": loss}
            with course.average:
                row |= _validated(course, network, epoch, validate, write, monitor, label)
            row |= {"examples_per_second": speed, "seconds": time.monotonic() - started}
            fitted.history.append(row)
            progress.epoch(row, monitor.name)
            if keeper is not None:
                keeper.keep(course)
    refuse_explosion(course, feed, network, seed, untrained, label)
    load(compiled.model, fitted.weights)
    return fitted


def _validated(
    course: Course,
    network: Network,
    epoch: int,
    validate: Callable[[], Mapping[str, float]] | None,
    write: Callable[[int], list[dict[str, Any]]] | None,
    monitor: Metric,
    label: str,
) -> dict[str, float]:
    """Return the validation figures of the weights in the model, and keep the weights if they are the best so far."""
    fitted, model = course.fitted, course.compiled.model
    if write is not None:
        fitted.samples.extend(write(epoch))
    figures = {} if validate is None else validate()
    cost = -epoch if validate is None else finite(monitor.cost(figures), f"{label}: {monitor.name}", network)
    if cost < course.cost or network.restore_weights == "last":
        course.cost, fitted.best_epoch, fitted.weights = cost, epoch, trainable(model)
    return {f"val_{name}": float(value) for name, value in figures.items()}


def _enough(network: Network, course: Course) -> bool:
    """Whether the best epoch is too long ago."""
    return network.patience is not None and course.epoch - course.fitted.best_epoch >= network.patience


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
    course: Course, feed: Feed, network: Network, seed: int, epochs: int, progress: Lines
) -> tuple[float, int]:
    """Train for one epoch, and return the mean loss and the number of examples."""
    compiled, epoch = course.compiled, course.epoch + 1
    compiled.reset_states()
    losses, examples = [], 0
    for step, (x, y, weights) in enumerate(batches(feed, seed, epoch), start=1):
        course.steps += 1
        compiled.optimizer.learning_rate = _rate(network, course.steps, feed.steps * epochs)
        loss = compiled.train(x, y, weights)
        losses.append(finite(loss, f"{progress.label}: loss at step {step} of epoch {epoch}", network))
        examples += len(x)
        course.average.update()
        progress.step(loss)
    if epoch == 1:
        course.first = losses[0]
    course.ends.append(float(np.mean(losses[-last_tenth(feed) :])))
    return float(np.mean(losses)), examples


def optimizer(network: Network) -> Any:
    """The network's optimiser; the rate is set at every step, see _rate."""
    fast = optimizers if ON_TENSORFLOW and network.kernel == "auto" else keras.optimizers
    kind = {
        "adam": fast.Adam,
        "adamw": fast.AdamW,
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
