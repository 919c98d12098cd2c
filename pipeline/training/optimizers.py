"""Adam and AdamW of Keras, whose update is one operation of TensorFlow for each variable in place of a dozen.

Each of the dozen reads and writes a whole table of embeddings. The results are the same but for rounding.
"""

from typing import Any

from pipeline.layers import keras


class _Fused(keras.optimizers.Optimizer):  # type: ignore[misc,name-defined]
    """The update and the clipping of an optimiser with momentums and velocities."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update a variable of TensorFlow by its gradient. Rows of a table that were not clipped are left to Keras."""
        import tensorflow as tf

        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        place, steps = self._get_variable_index(variable), tf.cast(self.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=self._momentums[place].value.handle, v=self._velocities[place].value.handle,
            beta1_power=self.beta_1**steps, beta2_power=self.beta_2**steps, lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1, beta2=self.beta_2, epsilon=self.epsilon, grad=gradient,
        )  # fmt: skip

    def _clip_gradients(self, gradients: Any) -> Any:
        """Scale all gradients together, as Keras does: the norm is of the rows of a table's gradient, one by one.

        Keras makes a whole table of the rows to add up their squares, and another one to scale them.
        """
        import tensorflow as tf

        if not self.global_clipnorm:
            return super()._clip_gradients(gradients)
        norm = tf.sqrt(tf.add_n([tf.reduce_sum(tf.square(getattr(g, "values", g))) for g in gradients]))
        scale = self.global_clipnorm * tf.minimum(1.0 / norm, 1.0 / self.global_clipnorm) + (norm - norm)
        return [tf.convert_to_tensor(g) * scale for g in gradients]


class Adam(_Fused, keras.optimizers.Adam):  # type: ignore[misc,name-defined]
    """keras.optimizers.Adam."""


class AdamW(_Fused, keras.optimizers.AdamW):  # type: ignore[misc,name-defined]
    """keras.optimizers.AdamW."""
