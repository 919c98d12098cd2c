"""A network that several processes train together on parts of each batch, to the results of one process."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.training.average import trainable
from pipeline.training.compiled import Arrays
from pipeline.training.crew import Crew
from pipeline.training.shards import Found, Shard, rows_of, seeds, together


class Parallel(Shard):
    """The network of worker 0, which also gives the others their rows and updates the weights.

    A stateful model has the batch size of worker 0 alone.
    """

    def __init__(self, model: Any, loss: Any, optimizer: Any, crew: Crew) -> None:
        super().__init__(model, loss, optimizer)
        self.crew, self.seeds, self.reset = crew, seeds(model), True
        self._update: Any = None

    def reset_states(self) -> None:
        """Set the states of all stateful layers to zero, those of the other workers before their next step."""
        super().reset_states()
        self.reset = True

    def train(self, x: Arrays, y: Arrays, weights: Arrays | None) -> float:
        """Train on one batch, and return its loss before the update. Raises WorkerLost."""
        self.crew.join()
        started = time.monotonic()
        busy = self._give(x, y, weights)
        own = rows_of(len(x), 0, self.crew.workers)
        begun = time.monotonic()
        found = [self.gradients(x[own], y[own], None if weights is None else weights[own])]
        self.crew.computing.append(time.monotonic() - begun)
        loss, gradients = together([*found, *(self.crew.take(worker) for worker in busy)], self.tables)
        self._apply(gradients)
        self.crew.seconds.append(time.monotonic() - started)
        return loss

    def _give(self, x: Arrays, y: Arrays, weights: Arrays | None) -> list[int]:
        """Send the other workers their rows, and return those that have any."""
        common = [*trainable(self.model), *(np.asarray(seed) for seed in self.seeds)]
        facts, self.reset = {"reset": self.reset}, False
        batch = [np.asarray(array) for array in (x, y, weights) if array is not None]
        busy = []
        for worker in range(1, self.crew.workers):
            rows = rows_of(len(batch[0]), worker, self.crew.workers)
            if rows.start < rows.stop:
                self.crew.give(worker, facts, [*common, *(array[rows] for array in batch)])
                busy.append(worker)
        return busy

    def _apply(self, gradients: Found) -> None:
        if self._update is None:
            self._update = self._traced_update(gradients)
        self._update(*gradients)

    def _traced_update(self, found: Found) -> Any:
        import tensorflow as tf

        variables, tables = self.model.trainable_variables, self.tables

        def update(*parts: Any) -> None:
            left = list(parts)
            gradients = [
                tf.IndexedSlices(left.pop(0), left.pop(0), tf.shape(v.value)) if table else left.pop(0)
                for v, table in zip(variables, tables, strict=True)
            ]
            self.optimizer.apply(gradients, variables)

        signature = _signature_of(found, tables)
        return tf.function(update, input_signature=signature, autograph=False)


def _signature_of(found: Found, tables: Sequence[bool]) -> list[Any]:
    """The shapes of gradients; the number of a table's rows is free."""
    import tensorflow as tf

    left, signature = list(found), []
    for table in tables:
        values = left.pop(0)
        signature.append(tf.TensorSpec((None, *values.shape[1:]) if table else values.shape, values.dtype))
        if table:
            signature.append(tf.TensorSpec((None,), left.pop(0).dtype))
    return signature
