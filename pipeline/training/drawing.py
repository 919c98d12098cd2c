"""The one-to-many topology: draw an image row by row from a single label.

The network reads a class and the rows so far. It gives every pixel of the next row a probability for each of LEVELS
greys, and drawing samples from them, one row after another. It also gives the likelihood of an image under each label,
and so classifies images (Bayes' rule with equal class probabilities), judged by the same figures as other classifiers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ImageRowsNetwork
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent

LEVELS = 16
STEP = 256 // LEVELS
DRAWN = 6  # images of each class


def likelihoods(network: ImageRowsNetwork, encoder: Mapping[str, Any], x: Any, pixels: Any) -> Any:
    """Return float32 [batch, classes]: log p(image | class).

    x: scaled pixels float32, pixels: the same in uint8, both [batch, height, width, channels].
    """
    classes, (height, width, channels) = len(encoder["label_names"]), encoder["shape"]
    values = width * channels
    before = keras.ops.pad(keras.ops.reshape(x, (-1, height, values)), ((0, 0), (1, 0), (0, 0)))[:, :-1]
    before = keras.ops.repeat(before[:, None], classes, axis=1)
    label = keras.ops.zeros_like(before[..., :1]) + np.eye(classes, dtype="float32")[:, None]
    steps = keras.ops.reshape(keras.ops.concatenate([before, label], axis=-1), (-1, height, values + classes))
    out = dropped(network, recurrent(network, steps, sequences=True))
    out = keras.layers.Dense(values * LEVELS, name="levels")(out)
    logits = keras.layers.Reshape((classes, height, values, LEVELS), name="logits")(_by_image(out, classes))
    level = keras.ops.reshape(keras.ops.cast(pixels, "int32") // STEP, (-1, 1, height, values))
    log_probabilities = keras.ops.log_softmax(logits, axis=-1) * keras.ops.one_hot(level, LEVELS)
    return keras.ops.sum(log_probabilities, axis=(2, 3, 4))


def _by_image(x: Any, classes: int) -> Any:
    """Join the classes of an image: [batch × classes, time, units] → [batch, classes × time × units]."""
    return keras.ops.reshape(x, (-1, classes * x.shape[1] * x.shape[2]))


def negative_log_likelihood(truth: Any, log_likelihoods: Any, sample_weight: Any = None) -> Any:
    """Return the mean over the images of −log p(image | its class).

    truth: one-hot [batch, classes]; log_likelihoods: float32 [batch, classes], from likelihoods().
    """
    return -keras.ops.mean(keras.ops.sum(truth * log_likelihoods, axis=-1))


def draw(model: Any, encoder: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return uint8 [classes, DRAWN, height, width, channels]: images drawn row by row from the label alone."""
    classes, (height, width, channels) = len(encoder["label_names"]), encoder["shape"]
    greys = keras.Model(model.input, model.get_layer("logits").output)
    images = np.zeros((classes * DRAWN, height, width, channels), np.uint8)
    label = np.repeat(np.arange(classes), DRAWN)
    rng = np.random.default_rng(0)
    for row in range(height):
        logits = np.asarray(greys.predict_on_batch(images))[np.arange(len(images)), label, row]
        level = (logits + rng.gumbel(size=logits.shape)).argmax(axis=-1)
        images[:, row] = (level * STEP + STEP // 2).reshape(-1, width, channels)
    return images.reshape(classes, DRAWN, height, width, channels)
