"""What a training is made of: its batches, where it is between two epochs, and who is told how it goes on."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from pipeline.training.average import Average, Weights
from pipeline.training.compiled import Compiled

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
    epoch, with validation. `samples`: texts that the network generated after epochs. `earlier`: the seconds that the
    training took before it was interrupted.
    """

    weights: Weights
    best_epoch: int
    history: list[dict[str, float]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    earlier: float = 0.0


@dataclass
class Course:
    """A training between two epochs; the variables of model and optimiser belong to it.

    `cost`: of the best epoch; `steps`: trained in all; `first`: the loss of the untrained network on the first batch;
    `ends`: for each epoch, the mean loss over the last tenth of its steps.
    """

    compiled: Compiled
    average: Average
    fitted: Fitted = field(default_factory=lambda: Fitted([], 0))
    cost: float = math.inf
    steps: int = 0
    first: float = math.nan
    ends: list[float] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    @property
    def epoch(self) -> int:
        """The number of finished epochs."""
        return len(self.fitted.history)

    def seconds(self) -> float:
        """Return the time of the training so far, without interruptions."""
        return self.fitted.earlier + time.monotonic() - self.began


class Keeper(Protocol):
    """Keeps checkpoints of a training."""

    def resume(self, course: Course) -> bool:
        """Put the course where the last checkpoint was; False if there is none."""
        ...

    def keep(self, course: Course) -> None:
        """Keep the course, if it is time."""
        ...


class Watcher(Protocol):
    """Is told how a training goes on."""

    def resumes(self, rows: list[dict[str, float]]) -> None:
        """The training goes on after the epochs of these rows."""
        ...

    def step(self, loss: float) -> None:
        """A step has ended."""
        ...

    def epoch(self, row: Mapping[str, float]) -> None:
        """An epoch has ended."""
        ...


class InTrial(NamedTuple):
    """A training that only compares settings: it writes no texts and measures nothing but the scores.

    watchers: of each fit; blind: predict validation alone, without reading the test part.
    """

    watchers: Sequence[Watcher] = ()
    blind: bool = False


def batches(feed: Feed, seed: int, epoch: int) -> Iterator[Batch]:
    """Yield the batches of an epoch. They come from its own generator, and so do not depend on the epochs before."""
    return feed.batches(np.random.default_rng([seed, epoch]))


def last_tenth(feed: Feed) -> int:
    """Return the number of steps in the last tenth of an epoch."""
    return max(1, feed.steps // 10)
