"""What a training will take: parameters, memory and time, said before long work; more memory than there is, refused.

The network is built without its numbers, so a network of any size is measured in a fraction of a second. The memory is
an estimate from shapes, made to fit measurements within a factor of two; docs/reliability.md says how.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from pipeline.config.schema.networks import Network as Row
from pipeline.encoding.records import Encoded
from pipeline.errors import ConfigError
from pipeline.evaluation.network import Network
from pipeline.layers import keras
from pipeline.training.course import Feed
from pipeline.training.lines import say

PROCESS = 0.6e9  # bytes of Python, TensorFlow and Keras
USABLE = 0.8  # of the memory
# Numbers kept for each parameter: the weight and its gradient, those of a fresh network, of the untrained, the best and
# the served one; and what the optimiser keeps.
COPIES, SLOTS = 6, {"adam": 2, "adamw": 2, "rmsprop": 1, "sgd": 0}
AVERAGED = 2  # more with ema_momentum
PER_UNIT = 16  # numbers kept for each unit of a recurrent layer at each step, until its gradient is computed
KEPT = 3  # numbers kept for each output of other layers
OF_WORKER = 3  # numbers for each parameter in another worker: the weight as it came, in the network, and its gradient
SAY_AFTER = 1.0  # seconds of steps from which the time is estimated
BY_SIZE, BY_BATCH = ("units", "layers", "embedding"), ("batch_size", "time_steps")


@dataclass(frozen=True)
class Estimate:
    """Numbers of trained parameters, and bytes: for the parameters, a batch, the data, and other workers here."""

    parameters: int
    of_parameters: float
    of_batch: float
    of_data: float
    of_workers: float = 0.0

    @property
    def memory(self) -> float:
        """Bytes in all."""
        return PROCESS + self.of_parameters + self.of_batch + self.of_data + self.of_workers


def estimated(module: Network, row: Any, encoded: Encoded, batch: tuple[int, ...], others: int = 0) -> Estimate:
    """Estimate a network from its shapes.

    batch: the shape of the largest batch of inputs; others: processes of this machine that compute parts of it.
    """
    with keras.StatelessScope(initialize_variables=False):  # variables get a shape and no value
        model = module.build(row.model_copy(update={"stateful": False}), encoded.encoder, None)
    parameters = sum(math.prod(v.shape) for v in model.trainable_variables)
    width = max((np.dtype(v.dtype).itemsize for v in model.trainable_variables), default=4)
    copies = COPIES + SLOTS[row.optimizer] + (AVERAGED if row.ema_momentum else 0)
    numbers = sum(_kept(layer, batch) for layer in model.layers)
    keras.utils.clear_session(free_memory=False)  # or Keras would give the variables values after all
    return Estimate(
        parameters,
        float(parameters) * width * copies,
        float(numbers) * width,
        2.0 * sum(array.nbytes for array in encoded.arrays.values()),
        others * (PROCESS + float(parameters) * width * OF_WORKER),
    )


def _kept(layer: Any, batch: tuple[int, ...]) -> int:
    """The numbers that a layer keeps for a batch until its gradient is computed."""
    if isinstance(layer, keras.layers.InputLayer):
        return 0
    inputs, outputs = (_size(_first(tensors).shape, batch) for tensors in (layer.input, layer.output))
    units = _units(layer)
    if units:
        shape = _first(layer.input).shape
        return PER_UNIT * units * _size(shape[:2], batch)
    if "Embedding" in type(layer).__name__:
        return KEPT * inputs * int(layer.output.shape[-1])
    return KEPT * outputs


def _units(layer: Any) -> int:
    """The units of a recurrent layer, in both directions; 0 for other layers."""
    if isinstance(layer, keras.layers.Bidirectional):
        return _units(layer.forward_layer) + _units(layer.backward_layer)
    if isinstance(layer, keras.layers.RNN):
        return int(
            _first(layer.cell.state_size) if isinstance(layer.cell.state_size, list | tuple) else layer.cell.state_size
        )
    return 0


def _first(tensors: Any) -> Any:
    return tensors[0] if isinstance(tensors, list | tuple) else tensors


def _size(shape: tuple[int | None, ...], batch: tuple[int, ...]) -> int:
    """The number of elements, with the batch's size where the shape leaves it free."""
    return math.prod((batch[i] if i < len(batch) else 1) if n is None else n for i, n in enumerate(shape))


def largest_batch(feed: Feed) -> tuple[int, ...]:
    """Return the shape of the first batch of inputs, with the length of the longest example."""
    x, _, _ = next(iter(feed.batches(np.random.default_rng(0))))
    shape = tuple(np.shape(x))
    longest = max(getattr(feed, "lengths", ()), default=0)
    return (shape[0], max(shape[1], int(longest)), *shape[2:]) if len(shape) > 1 else shape


def refuse_too_large(
    label: str,
    module: Network,
    row: Row,
    encoded: Encoded,
    batch: tuple[int, ...],
    limit: float | None = None,
    others: int = 0,
) -> Estimate:
    """Return the estimate. Raises ConfigError, with settings that fit, above 80 % of the memory (bytes)."""
    made, room = estimated(module, row, encoded, batch, others), USABLE * (memory_limit() if limit is None else limit)
    if made.memory <= room:
        return made
    alone = made.memory - made.of_workers <= room
    fitting = ["workers to 1"] if alone else list(_fitting(module, row, encoded, batch, made, room))
    advice = f"set {' or '.join(fitting)}" if fitting else "use a computer with more memory, or less data"
    raise ConfigError(
        f"experiments.{label}: training {count(made.parameters)} parameters needs about {size(made.memory)} of memory, "
        f"{size(made.of_parameters)} of them for the parameters and {size(made.of_batch)} for a batch of "
        f"{' × '.join(map(str, batch[:2]))}; {USABLE:.0%} of the memory here is {size(room)}: {advice}"
    )


def _fitting(
    module: Network, row: Row, encoded: Encoded, batch: tuple[int, ...], made: Estimate, room: float
) -> Iterator[str]:
    """Yield settings with which the training fits, what takes the most memory first."""
    names = (*BY_SIZE, *BY_BATCH) if made.of_parameters > made.of_batch else (*BY_BATCH, *BY_SIZE)
    for name in names:
        value, shape = getattr(row, name, None) or 0, batch
        while value > 1:
            value //= 2
            if name == "batch_size":
                shape = (value, *batch[1:])
            elif name == "time_steps":
                shape = (batch[0], value, *batch[2:])
            if estimated(module, row.model_copy(update={name: value}), encoded, shape).memory <= room:
                yield f"{name} to {value}"
                break


def memory_limit(root: Path = Path("/")) -> float:
    """Return the bytes of memory that this process may use: those of its control group, or of the computer.

    root: where /proc and /sys are.
    """
    return float(min([psutil.virtual_memory().total, *_limits(root)]))


def _limits(root: Path) -> Iterator[int]:
    """Yield the limits of the control group and of those above it, of both versions of Linux' control groups."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        top, file = ("", "memory.max") if controllers == "" else ("memory", "memory.limit_in_bytes")
        base = root / "sys/fs/cgroup" / top
        folder = base / place.lstrip("/")
        for path in (folder, *(p for p in folder.parents if p.is_relative_to(base))):
            if (path / file).is_file() and (text := (path / file).read_text().strip()).isdigit():
                yield int(text)


class Announcement:
    """Says once what a training takes: a watcher of fit(), which knows the time after the first steps.

    epochs: of each of `networks` networks; refit: epochs of the refit of each, or 0.
    """

    def __init__(
        self, label: str, made: Estimate, steps: int, epochs: int, networks: int, refit: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.label, self.made, self.steps, self.epochs = label, made, steps, epochs
        self.networks, self.refit, self.clock = networks, refit, clock
        self.said, self.count, self.since = False, 0, 0.0

    def resumes(self, rows: list[dict[str, float]]) -> None:
        """The training goes on, at its first step in this process."""

    def step(self, loss: float) -> None:
        """Count a step; the first one also traces the graph."""
        self.count += 1
        if self.count == 1:
            self.since = self.clock()
        elif not self.said and self.clock() - self.since >= SAY_AFTER:
            self._say((self.clock() - self.since) / (self.count - 1) * self.steps)

    def epoch(self, row: Mapping[str, float]) -> None:
        """The first epoch has ended before its steps took long."""
        if not self.said:
            steps = (self.clock() - self.since) / (self.count - 1) * self.steps if self.count > 1 else row["seconds"]
            self._say(steps)

    def _say(self, seconds: float) -> None:
        self.said = True
        whole = seconds * (self.epochs + self.refit) * self.networks
        each = f"{self.epochs:,} epochs of {duration(seconds)}" + (
            f" and {self.refit:,} of the refit" if self.refit else ""
        )
        say(
            f"{self.label}: {count(self.made.parameters)} parameters, about {size(self.made.memory)}, "
            f"about {duration(whole)}: {each}" + (f", {self.networks} networks" if self.networks > 1 else "")
        )


def count(number: int) -> str:
    """Return a number of parameters for people: 3,042 or 1.2 M."""
    return f"{number / 1e6:,.1f} M" if number >= 1e6 else f"{number:,}"


def size(amount: float) -> str:
    """Return a number of bytes for people, in GB."""
    return f"{amount / 1e9:.1f} GB" if amount < 1e11 else f"{amount / 1e9:,.0f} GB"


def duration(seconds: float) -> str:
    """Return a time for people: 0.3 s, 40 s, 6 min, 5 h, 12 days."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for unit, length, most in (("min", 60.0, 90.0), ("h", 3600.0, 48.0)):
        if seconds < most * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86400.0:,.0f} days"
