"""Refuses a training whose losses or weights have exploded, and says what to change."""

import itertools

import numpy as np

from pipeline.config.schema.networks import Network
from pipeline.errors import TrainingError
from pipeline.training.average import Weights, load
from pipeline.training.compiled import Compiled
from pipeline.training.course import Batch, Course, Feed, batches, last_tenth

FAR_BEYOND = 3.0  # times the loss of the untrained network: the loss has exploded
ROUNDING = 1e-3  # no loss here is below zero by more


def refuse_explosion(course: Course, feed: Feed, network: Network, seed: int, untrained: Weights, label: str) -> None:
    """Raise TrainingError if the weights to keep are not finite, or if the loss is far beyond the untrained network's.

    An untrained network is about as good as a constant answer. Both losses are over the last tenth of the epoch of the
    weights to keep. The untrained network's is computed only if the loss is far beyond that of the very first batch.
    """
    epoch = course.fitted.best_epoch
    if not all(np.isfinite(w).all() for w in course.fitted.weights):
        raise TrainingError(f"{label}: a weight is not a finite number after epoch {epoch}; {_advice(network)}")
    end = course.ends[epoch - 1]
    if -ROUNDING <= end <= FAR_BEYOND * course.first:
        return
    ending = itertools.islice(batches(feed, seed, epoch), max(0, feed.steps - last_tenth(feed)), None)
    start = float(np.mean([_loss_of(course.compiled, untrained, batch) for batch in ending]))
    if end > FAR_BEYOND * start or end < -ROUNDING:
        raise TrainingError(
            f"{label}: the loss has exploded: {end:.4g} at the end of epoch {epoch}, where the untrained network's is "
            f"{start:.4g}; {_advice(network)}"
        )


def _loss_of(compiled: Compiled, weights: Weights, batch: Batch) -> float:
    """Return the loss on one batch. The training step after it changes the weights and the optimiser's state."""
    load(compiled.model, weights)
    compiled.reset_states()
    return compiled.train(*batch)


def finite(loss: float, what: str, network: Network) -> float:
    """Return the loss. Raises TrainingError if it is not finite."""
    if not np.isfinite(loss):
        raise TrainingError(f"{what} is {loss}; {_advice(network)}")
    return loss


def _advice(network: Network) -> str:
    """What to change so that the training does not diverge: what is furthest from the usual first."""
    usual, rate = 0.003, network.learning_rate
    changes = [f"set learning_rate to {usual if rate > 2 * usual else rate / 10:g} (now {rate:g})"]
    if network.clip_norm is None:
        changes.append("set clip_norm to 1.0")
    return f"no model is published. {', and '.join(changes).capitalize()}"
