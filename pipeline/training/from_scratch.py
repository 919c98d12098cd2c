"""Training with the gradients of pipeline.reference in place of TensorFlow's.

The Keras model still holds the weights, so that schedule, average, validation, saving and serving work unchanged.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.config.schema.networks import Network as Row
from pipeline.reference.cells import CELLS, Cell, Floats
from pipeline.reference.network import Loss, Network
from pipeline.training.compiled import Arrays, Compiled
from pipeline.training.fit import trainable


class FromScratch(Compiled):
    """Compute outputs, loss and gradients in NumPy, float64, and let the model's optimiser update the weights.

    The model must consist of recurrent layers with an output at each step, and one dense layer above them.
    """

    def __init__(
        self, model: Any, row: Row, loss: Loss, optimizer: Any, *, cell: Cell | None = None, truncate: int | None = None
    ) -> None:
        super().__init__(model, None, optimizer)
        self.reference = Network([cell or CELLS[row.cell]] * row.layers)
        self.by_hand, self.truncate = loss, truncate

    def train(self, x: Arrays, y: Arrays, weights: Arrays | None) -> float:
        """Train on one batch, and return its loss before the update.

        x: [batch, time, features]; y: [batch, time, outputs], NaN for a target that does not count.
        """
        assert weights is None, "mark targets that do not count with NaN, not with weights"
        current = [w.astype(np.float64) for w in trainable(self.model)]
        result = self.reference.gradients(
            current, np.asarray(x, np.float64), np.asarray(y, np.float64), self.by_hand, self.truncate
        )
        self._update(current, result.d_weights)
        return result.loss

    def _update(self, current: Sequence[Floats], gradients: Sequence[Floats]) -> None:
        if self._train is None:
            self._train = self._traced_update()
        self._train(*[g.astype(v.dtype) for g, v in zip(gradients, self.model.trainable_variables, strict=True)])

    def _traced_update(self) -> Any:
        import tensorflow as tf

        def apply(*gradients: Any) -> None:
            self.optimizer.apply(gradients, self.model.trainable_variables)

        signature = [tf.TensorSpec(v.shape, v.dtype) for v in self.model.trainable_variables]
        return tf.function(apply, input_signature=signature, autograph=False)
