"""How far back in time a loss reaches: the norm of its gradient by distance, which shows vanishing and exploding.

After Bengio et al. 1994 and Pascanu et al. 2013: the loss of the last step alone is differentiated with respect to the
inputs of the recurrent layer at each step up to it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.layers import keras
from pipeline.training.fit import Weights, load

ENLARGED = 3.0  # factor on the recurrent weights that makes gradients explode
STATES = ("untrained", "trained", "recurrent weights × 3", "recurrent weights × 3, clipped")


def by_state(model: Any, start: Weights, trained: Weights, x: Any, y: Any, clip_norm: float) -> NDArray[np.float64]:
    """Return float64 [STATES, time]: gradient norms by distance, distance 0 first.

    model: stateless, with a layer named "embedding", ids int32 [batch, time] → logits; start, trained: its weights.
    x, y: int32 [batch, time], a real batch and each next id. The clipped norms are multiplied by the share that
    clip_norm leaves of the gradient with respect to all weights for the whole batch.
    """
    enlarged = _enlarged(model, start)
    rows = [_by_distance(model, weights, x, y) for weights in (start, trained, enlarged)]
    share = min(1.0, clip_norm / _norm_of_weights(model, enlarged, x, y))
    return np.stack([*rows, rows[-1] * share])


def _enlarged(model: Any, weights: Weights) -> Weights:
    paths = [variable.path for variable in model.trainable_variables]
    return [ENLARGED * w if "recurrent_kernel" in path else w for path, w in zip(paths, weights, strict=True)]


def _by_distance(model: Any, weights: Weights, x: Any, y: Any) -> NDArray[np.float64]:
    """Return float64 [time]: the mean norm of the gradient over the batch, from the last step back to the first."""
    import tensorflow as tf

    load(model, weights)
    embedding = model.get_layer("embedding")
    rest = keras.Model(embedding.output, model.output)

    def gradient(ids: Any, target: Any) -> Any:
        inputs = embedding(ids)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = _losses(target, rest(inputs)[:, -1])
        return tape.gradient(loss, inputs)

    gradients = np.asarray(tf.function(gradient, autograph=False)(x, y[:, -1]), np.float64)
    return np.asarray(np.linalg.norm(gradients, axis=-1).mean(axis=0)[::-1])


def _norm_of_weights(model: Any, weights: Weights, x: Any, y: Any) -> float:
    """Return the norm of the gradient, with respect to all weights, of the mean loss of all steps."""
    import tensorflow as tf

    load(model, weights)

    def norm(ids: Any, target: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(_losses(target, model(ids, training=False)))
        return tf.linalg.global_norm(tape.gradient(loss, [v.value for v in model.trainable_variables]))

    return float(tf.function(norm, autograph=False)(x, y))


def _losses(target: Any, logits: Any) -> Any:
    return keras.losses.sparse_categorical_crossentropy(target, logits, from_logits=True)
