"""A worker's part of a data-parallel training: the gradients of its rows of each batch.

Worker w of N has the rows w·B/N … (w+1)·B/N of a batch of B. In a stateful network these are always the same streams,
so each worker carries the state of its own. Gradients are added up with the weight that each part has in the mean of
the loss, so they are those of the whole batch.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.layers import keras
from pipeline.training.average import load
from pipeline.training.compiled import Arrays, Compiled
from pipeline.training.wire import Wire

APART = 1_000_003  # between the dropout seeds of two workers
SHARED = "weight_seeds"  # dropped weights are the same for the whole batch
Found = list[NDArray[Any]]  # a part's loss, its weight in the mean, and its gradients


class Shard(Compiled):
    """A network that computes the gradients of some rows of a batch.

    `tables`: for each trainable variable, whether its gradient is some rows of a table: their values and places.
    """

    def __init__(self, model: Any, loss: Any, optimizer: Any = None) -> None:
        super().__init__(model, loss, optimizer)
        self.tables: list[bool] = []
        self._gradients: Any = None

    def gradients(self, x: Arrays, y: Arrays, weights: Arrays | None) -> Found:
        """Return loss, its weight in the mean of the whole batch, and the gradients, those of tables as two arrays."""
        if self._gradients is None:
            self._gradients = self._traced_gradients(np.asarray(y), weights)
        found = self._gradients(x, y) if weights is None else self._gradients(x, y, weights)
        return [np.asarray(tensor) for tensor in found]

    def _traced_gradients(self, y: NDArray[Any], weights: Arrays | None) -> Any:
        import tensorflow as tf

        def step(x: Any, y: Any, weights: Any = None) -> Any:
            variables = [v.value for v in self.model.trainable_variables]
            with tf.GradientTape() as tape:
                outputs = self.model(x, training=True)
                loss = self.loss(y, outputs, sample_weight=weights)
            found = tape.gradient(loss, variables, unconnected_gradients="zero")
            self.tables = [isinstance(gradient, tf.IndexedSlices) for gradient in found]
            parts = [(g.values, g.indices) if isinstance(g, tf.IndexedSlices) else (g,) for g in found]
            return [loss, self._weight(y, outputs, weights), *(tensor for part in parts for tensor in part)]

        return tf.function(step, input_signature=self._signature(y, weights), autograph=False)

    def _weight(self, y: Any, outputs: Any, weights: Any) -> Any:
        """The denominator of the loss: it is a mean over weights, over what is not masked, or over what is known."""
        import tensorflow as tf

        mask = keras.src.backend.get_keras_mask(outputs)
        present = None if mask is None else tf.cast(mask, tf.float32)
        if getattr(self.loss, "reduction", None) == "mean_with_sample_weight" and weights is not None:
            return tf.reduce_sum(weights if present is None else weights * present)
        if present is not None:
            return tf.reduce_sum(present)
        known = tf.math.logical_not(tf.math.is_nan(y)) if y.dtype.is_floating else tf.ones_like(y, tf.bool)
        return tf.reduce_sum(tf.cast(known, tf.float32))


def rows_of(count: int, worker: int, workers: int) -> slice:
    """Return the rows of a batch of `count` that a worker has. Worker 0 always has some."""
    first, last = (-(-count * w // workers) for w in (worker, worker + 1))
    return slice(first, last)


def together(parts: Sequence[Found], tables: Sequence[bool]) -> tuple[float, Found]:
    """Return the loss of a whole batch, and its gradients, from those of its parts in their order."""
    total = sum(float(part[1]) for part in parts)
    shares = [np.float32(float(part[1]) / total if total else 0.0) for part in parts]
    loss = float(sum(share * part[0] for share, part in zip(shares, parts, strict=True)))
    gradients, at = [], 2
    for table in tables:
        scaled = [share * part[at] for share, part in zip(shares, parts, strict=True)]
        gradients.append(np.concatenate(scaled) if table else sum(scaled[1:], start=scaled[0]))
        at += 1
        if table:
            gradients.append(np.concatenate([part[at] for part in parts]))
            at += 1
    return loss, gradients


def seeds(model: Any) -> list[Any]:
    """Return the variables that dropout is drawn from."""
    return [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]


def serve(wire: Wire, shard: Shard, worker: int) -> None:
    """Answer every message with the gradients of its rows, until the training ends."""
    drawn, count = seeds(shard.model), len(shard.model.trainable_variables)
    while True:
        facts, arrays = wire.receive()
        load(shard.model, arrays[:count])
        for variable, state in zip(drawn, arrays[count : count + len(drawn)], strict=True):
            variable.assign(state if SHARED in variable.path else np.add(state, [worker * APART, 0]))
        if facts["reset"]:
            shard.reset_states()
        x, y, *weights = arrays[count + len(drawn) :]
        wire.send({}, shard.gradients(x, y, weights[0] if weights else None))
