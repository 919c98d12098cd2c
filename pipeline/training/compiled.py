"""A network with one traced graph for training and one for predicting, for batches of all lengths.

Keras' train_on_batch traces the graph again for each new shape, which takes seconds every time. With sequences of
different lengths, that is longer than the training itself. Here one trace leaves the free dimensions free. Back ends
other than TensorFlow use train_on_batch.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.layers import keras
from pipeline.layers.cells import reset_states
from pipeline.raw_input import check_time

Arrays = Any
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


class Compiled:
    """A network with its graphs for training and predicting. `loss` and `optimizer` are needed for training only."""

    def __init__(self, model: Any, loss: Any = None, optimizer: Any = None) -> None:
        self.model, self.loss, self.optimizer = model, loss, optimizer
        self._train: Callable[..., Any] | None = None
        self._predict: Callable[..., Any] | None = None
        if optimizer is not None:
            optimizer.build(model.trainable_variables)

    def train(self, x: Arrays, y: Arrays, weights: Arrays | None) -> float:
        """Train on one batch, and return its loss before the update. weights: sample weights or None."""
        if self._train is None:
            self._train = self._traced_training(np.asarray(y), weights) if ON_TENSORFLOW else self._keras_training()
        return float(self._train(x, y) if weights is None else self._train(x, y, weights))

    def predict(self, x: Arrays) -> NDArray[Any]:
        """Return the network's output for one batch, with dropout off. Raises Busy after the deadline of an answer."""
        check_time()
        if not ON_TENSORFLOW:
            return np.asarray(self.model.predict_on_batch(x))
        if self._predict is None:
            import tensorflow as tf

            def forward(x: Any) -> Any:
                return self.model(x, training=False)

            self._predict = tf.function(forward, input_signature=[self._input()], autograph=False)
        return np.asarray(self._predict(x))

    def reset_states(self) -> None:
        """Set the states of all stateful layers to zero."""
        reset_states(self.model)

    def _keras_training(self) -> Callable[..., Any]:
        self.model.compile(optimizer=self.optimizer, loss=self.loss)

        def step(x: Any, y: Any, weights: Any = None) -> Any:
            self.model.reset_metrics()  # otherwise the loss would be the mean over all steps so far
            return self.model.train_on_batch(x, y, sample_weight=weights)

        return step

    def _traced_training(self, y: NDArray[Any], weights: Arrays | None) -> Callable[..., Any]:
        import tensorflow as tf

        def step(x: Any, y: Any, weights: Any = None) -> Any:
            variables = self.model.trainable_variables
            with tf.GradientTape() as tape:
                loss = self.loss(y, self.model(x, training=True), sample_weight=weights)
            self.optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)
            return loss

        return tf.function(step, input_signature=self._signature(y, weights), autograph=False)  # type: ignore[no-any-return]

    def _signature(self, y: NDArray[Any], weights: Arrays | None) -> list[Any]:
        import tensorflow as tf

        signature = [self._input(), tf.TensorSpec([None] * y.ndim, y.dtype)]
        if weights is not None:
            signature.append(tf.TensorSpec([None] * np.ndim(weights), tf.float32))
        return signature

    def _input(self) -> Any:
        import tensorflow as tf

        return tf.TensorSpec(self.model.inputs[0].shape, keras.backend.standardize_dtype(self.model.inputs[0].dtype))
