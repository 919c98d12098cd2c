"""The layers without recurrence, in NumPy. Each class takes its settings and its weights from the description.

A layer is called with its input, or the list of its inputs. Some take a mask, bool [batch, time], true where a step is
no padding; the description says of each call which one, since Keras writes masks down like other values.
"""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pipeline.inference.settings import ANY, Settings, check, known

Floats = NDArray[np.floating[Any]]
FAR = 1e9  # as in pipeline.layers: what padding is moved away by


class Layer:
    """A layer; this one returns its input, as all kinds of dropout do after the training."""

    settings = known()

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        """Set the layer up. settings: those of the Keras layer; weights: its arrays, in Keras' order."""

    @classmethod
    def of(cls, name: str, settings: Settings, weights: Sequence[Floats]) -> Self:
        """Make the layer of the Keras class `name`. Raises Unsupported for a setting that is not computed."""
        check(name, settings, cls.settings)
        return cls(settings, weights)

    def __call__(self, x: Any) -> Any:
        return x

    def reset_states(self) -> None:
        """Set the states that are carried from call to call to zero."""


def softmax(x: Floats) -> Floats:
    """Return the softmax over the last axis."""
    shifted = np.exp(x - x.max(axis=-1, keepdims=True))
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return np.asarray(shifted)


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 0.5 + 0.5 * np.tanh(0.5 * x),
    "tanh": np.tanh,
    "softmax": softmax,
}


class Dense(Layer):
    """x W + b, and an activation."""

    settings = known(units=ANY, activation=tuple(ACTIVATIONS), use_bias=ANY)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.kernel, self.bias = weights[0], weights[1] if settings["use_bias"] else None
        self.activation = ACTIVATIONS[settings["activation"]]

    def __call__(self, x: Any) -> Any:
        rows = x.reshape(-1, x.shape[-1]) @ self.kernel
        if self.bias is not None:
            rows += self.bias
        return self.activation(rows.reshape(*x.shape[:-1], -1))


class Embedding(Layer):
    """Rows of a table: ids int [batch, time] → float [batch, time, units]."""

    settings = known(input_dim=ANY, output_dim=ANY)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.table = weights[0]

    def __call__(self, ids: Any) -> Any:
        return self.table[ids]


class BagEmbedding(Layer):
    """The sum of the embeddings of each step's features; see pipeline.layers.pooling."""

    settings = known(kernel=ANY, size=ANY, units=ANY, scale=ANY)
    together = 2**16  # features whose embeddings are in memory at once

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.table, self.scale = weights[0], bool(settings["scale"])

    def __call__(self, ids: Any) -> Any:
        batch, time, features = ids.shape
        rows = ids.reshape(-1, features)
        present = (rows != 0).astype(self.table.dtype)
        total = np.empty((len(rows), self.table.shape[1]), self.table.dtype)
        at = max(1, self.together // features)
        for i in range(0, len(rows), at):
            part = present[i : i + at, None]
            total[i : i + at] = np.matmul(part, self.table[rows[i : i + at]])[:, 0]
        if self.scale:
            total /= np.sqrt(np.maximum(present.sum(axis=1, keepdims=True), 1))
        return total.reshape(batch, time, -1)


class StepPool(Layer):
    """Sums of groups of steps, divided by the square root of their number; see pipeline.layers.pooling."""

    settings = known(size=ANY)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.size = int(settings["size"])

    def __call__(self, x: Any, mask: Any = None) -> Any:
        present = np.ones_like(x[..., :1]) if mask is None else mask[..., None].astype(x.dtype)
        return self._sum(x * present) / np.sqrt(np.maximum(self._sum(present), 1))

    def _sum(self, x: Floats) -> Floats:
        batch, time, units = x.shape
        return np.asarray(x.reshape(batch, time // self.size, self.size, units).sum(axis=2))


class MaxMeanPool(Layer):
    """The maximum and the mean over the steps that are not padding."""

    def __call__(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return np.concatenate([x.max(axis=1), x.mean(axis=1)], axis=-1)
        present = mask[..., None].astype(x.dtype)
        largest = (x * present - FAR * (1 - present)).max(axis=1)
        mean = (x * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
        return np.concatenate([largest, mean], axis=-1)


class FoldSteps(Layer):
    """[batch, time, units] → [batch × time, units]."""

    def __call__(self, x: Any) -> Any:
        return x.reshape(-1, x.shape[-1])


class UnfoldSteps(Layer):
    """[folded [batch × time, outputs, 1], like [batch, time, …]] → [batch, time, outputs]."""

    def __call__(self, pair: Any) -> Any:
        folded, like = pair
        return folded.reshape(*like.shape[:2], folded.shape[1])


class RepeatAlong(Layer):
    """[state [batch, units], steps [batch, time, …]] → [batch, time, units]."""

    def __call__(self, pair: Any) -> Any:
        state, steps = pair
        return np.broadcast_to(state[:, None], (*steps.shape[:2], state.shape[-1]))


class RepeatVector(Layer):
    """[batch, units] → [batch, n, units]."""

    settings = known(n=ANY)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.n = int(settings["n"])

    def __call__(self, x: Any) -> Any:
        return np.broadcast_to(x[:, None], (len(x), self.n, x.shape[-1]))


class Reshape(Layer):
    """[batch, …] → [batch, *target_shape]."""

    settings = known(target_shape=ANY)

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.shape = tuple(settings["target_shape"])

    def __call__(self, x: Any) -> Any:
        return x.reshape(len(x), *self.shape)


class Concatenate(Layer):
    """Join the inputs along their last axis."""

    settings = known(axis=-1)

    def __call__(self, inputs: Any) -> Any:
        return np.concatenate(inputs, axis=-1)


class Places(Layer):
    """Sines and cosines of the places; see pipeline.layers.attention."""

    settings = known(width=ANY)
    longest_wave = 1_000.0

    def __init__(self, settings: Settings, weights: Sequence[Floats]) -> None:
        self.waves = self.longest_wave ** np.linspace(0.0, 1.0, settings["width"] // 2, dtype=np.float32)

    def __call__(self, x: Any) -> Any:
        angles = np.arange(x.shape[1], dtype=np.float32)[:, None] / self.waves
        places = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
        return np.broadcast_to(places, (len(x), *places.shape))


PLAIN: dict[str, type[Layer]] = {
    "Dropout": Layer,
    "SpatialDropout1D": Layer,
    **{
        kind.__name__: kind
        for kind in (
            Dense,
            Embedding,
            BagEmbedding,
            StepPool,
            MaxMeanPool,
            FoldSteps,
            UnfoldSteps,
            RepeatAlong,
            RepeatVector,
            Reshape,
            Concatenate,
            Places,
        )
    },
}
