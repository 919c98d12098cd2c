"""One to many: from a single label, an image row by row.

The network is given a class and the rows so far, and gives every pixel of the next row a probability for each of LEVELS
greys. Drawing is sampling from it, one row after another. Because it says how likely an image is under each label, it
is a classifier too (Bayes' rule with equal shares of the classes), judged by the same figures as the others.
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
DRAWN = 6  # of each class


def likelihoods(network: ImageRowsNetwork, encoder: Mapping[str, Any], x: Any, pixels: Any) -> Any:
    """log p(image | class), float32 [batch, classes]. x: scaled pixels float32, pixels: uint8, both [batch, height,
    width, channels]."""
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
    shares = keras.ops.log_softmax(logits, axis=-1) * keras.ops.one_hot(level, LEVELS)
    return keras.ops.sum(shares, axis=(2, 3, 4))


def _by_image(x: Any, classes: int) -> Any:
    """[batch × classes, time, units] → [batch, classes × time × units]"""
    return keras.ops.reshape(x, (-1, classes * x.shape[1] * x.shape[2]))


def negative_log_likelihood(truth: Any, found: Any, sample_weight: Any = None) -> Any:
    """−log p(image | its class), the mean over the images. truth: one-hot [batch, classes]; found: likelihoods()."""
    return -keras.ops.mean(keras.ops.sum(truth * found, axis=-1))


def draw(model: Any, encoder: Mapping[str, Any]) -> NDArray[np.uint8]:
    """uint8 [classes, DRAWN, height, width, channels]: drawn from nothing but the label, row after row."""
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
