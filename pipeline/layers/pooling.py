"""Small layers that several networks share: bags of embeddings and pooling over time, which ignore padding (id 0, or
where the mask is false), and reshaping."""

from typing import Any

from pipeline.layers import keras

PACKAGE = "pipeline"
ON_TENSORFLOW = keras.backend.backend() == "tensorflow"


@keras.saving.register_keras_serializable(package=PACKAGE)
class BagEmbedding(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Sum the embeddings of each step's features: ids int32 [batch, time, features] → float32 [batch, time, units].

    `scale` divides the sum by the square root of the number of features. kernel: the setting of the network. The mask
    [batch, time] is true where a step has any feature.
    """

    def __init__(
        self, size: int, units: int, *, scale: bool, stddev: float, kernel: str = "auto", **options: Any
    ) -> None:
        super().__init__(**options)
        self.size, self.units, self.scale, self.stddev, self.kernel = size, units, scale, stddev, kernel
        start = keras.initializers.RandomNormal(stddev=stddev)
        self.table = keras.layers.Embedding(size, units, embeddings_initializer=start)

    def build(self, shape: Any) -> None:
        self.table.build(shape)

    def call(self, ids: Any) -> Any:
        present = keras.ops.cast(keras.ops.not_equal(ids, 0), "float32")[..., None]
        if self.kernel == "auto" and ON_TENSORFLOW:
            total = self._sum_of_present(ids)
        else:
            total = keras.ops.sum(self.table(ids) * present, axis=2)
        return total / keras.ops.sqrt(keras.ops.maximum(keras.ops.sum(present, axis=2), 1.0)) if self.scale else total

    def _sum_of_present(self, ids: Any) -> Any:
        """Add up the rows of the features that a step has, not those of the padding, of which there is more."""
        import tensorflow as tf

        batch, time, features = tf.unstack(tf.shape(ids))
        flat = tf.reshape(ids, [-1, features])
        places = tf.where(flat != 0)
        rows = tf.gather(tf.convert_to_tensor(self.table.embeddings), tf.gather_nd(flat, places))
        return tf.reshape(tf.math.unsorted_segment_sum(rows, places[:, 0], batch * time), [batch, time, self.units])

    def compute_mask(self, ids: Any, previous: Any = None) -> Any:
        return keras.ops.any(keras.ops.not_equal(ids, 0), axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        return (*shape[:2], self.units)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("size", "units", "scale", "stddev", "kernel")}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package=PACKAGE)
class FoldSteps(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Make every step an example of its own: float32 [batch, time, units] → [batch × time, units]."""

    def call(self, x: Any) -> Any:
        return keras.ops.reshape(x, (-1, x.shape[-1]))

    def compute_output_shape(self, shape: Any) -> Any:
        return (None, shape[-1])


@keras.saving.register_keras_serializable(package=PACKAGE)
class UnfoldSteps(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Undo FoldSteps: [folded float32 [batch × time, outputs, 1], like [batch, time, …]] → [batch, time, outputs]."""

    def call(self, pair: Any) -> Any:
        folded, like = pair
        batch, time = keras.ops.shape(like)[:2]
        return keras.ops.reshape(folded, (batch, time, folded.shape[1]))

    def compute_output_shape(self, shapes: Any) -> Any:
        folded, like = shapes
        return (*like[:2], folded[1])


@keras.saving.register_keras_serializable(package=PACKAGE)
class StepPool(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Pool every `size` steps into one: float32 [batch, time, units] → [batch, time / size, units].

    As in a bag, the sum of a group's unmasked steps is divided by the square root of their number. Time must be a
    multiple of `size`. The new mask is true for groups with at least one unmasked step.
    """

    supports_masking = True

    def __init__(self, size: int, **options: Any) -> None:
        super().__init__(**options)
        self.size = size

    def call(self, x: Any, mask: Any = None) -> Any:
        present = keras.ops.ones_like(x[..., :1]) if mask is None else keras.ops.cast(mask, "float32")[..., None]
        return self._sum(x * present) / keras.ops.sqrt(keras.ops.maximum(self._sum(present), 1.0))

    def _sum(self, x: Any) -> Any:
        # Not the sum of slices, of which each one's gradient would be as large as x.
        batch, time, units = keras.ops.shape(x)
        return keras.ops.sum(keras.ops.reshape(x, (batch, time // self.size, self.size, units)), axis=2)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return None
        return keras.ops.any(keras.ops.stack([mask[:, i :: self.size] for i in range(self.size)]), axis=0)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], None if shape[1] is None else shape[1] // self.size, shape[2])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable(package=PACKAGE)
class MaxMeanPool(keras.layers.Layer):  # type: ignore[misc,name-defined]
    """Return the maximum and the mean over the unmasked steps: float32 [batch, time, units] → [batch, 2 × units]."""

    supports_masking = True

    def call(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return keras.ops.concatenate([keras.ops.max(x, axis=1), keras.ops.mean(x, axis=1)], axis=-1)
        present = keras.ops.cast(mask, "float32")[..., None]
        largest = keras.ops.max(x * present - 1e9 * (1.0 - present), axis=1)
        mean = keras.ops.sum(x * present, axis=1) / keras.ops.maximum(keras.ops.sum(present, axis=1), 1.0)
        return keras.ops.concatenate([largest, mean], axis=-1)

    def compute_mask(self, x: Any, mask: Any = None) -> None:
        return None

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], 2 * shape[2])
