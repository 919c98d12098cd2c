"""The network of image_rows: reads images as sequences of rows, or of rows and then columns of patches."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ImageRowsNetwork
from pipeline.encoding.records import Encoded
from pipeline.evaluation.network import Network, Predictor
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.layers.ensemble import ensembled, mean_probability
from pipeline.layers.pooling import MaxMeanPool
from pipeline.tasks.image_rows.prepare import probabilities
from pipeline.training import drawing
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch

SHIFT = 3  # pixels, at most, by which augmented images are shifted
MERGE = 2  # rows and columns of the grid that are merged before the second level


@ensembled(mean_probability)
def build(network: ImageRowsNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: pixels uint8 [batch, height, width, channels] → logits float32 [batch, classes].

    patch 0: one sequence of whole rows. Otherwise overlapping patches, swept along rows, then along columns, then again
    in groups of 2 × 2 with twice the units (ReNet, Visin et al. 2015). topology one_to_many: the logits are the log
    likelihoods of the image under each class; see training.drawing.
    """
    height, width, channels = encoder["shape"]
    pixels = keras.Input((height, width, channels), batch_size=batch, dtype="uint8", name="pixels")
    scale, offset = 255.0 * np.array(encoder["sd"], "float32"), 255.0 * np.array(encoder["mean"], "float32")
    x = (keras.ops.cast(pixels, "float32") - offset) / scale
    if network.permute_rows:
        x = keras.ops.take(x, np.random.default_rng(0).permutation(height), axis=1)
    if network.topology == "one_to_many":
        return keras.Model(pixels, drawing.likelihoods(network, encoder, x, pixels), name="image_rows")
    if network.patch:
        x = _level(network, _patches(x, network.patch))
        x = _merged(keras.layers.Dropout(network.dropout / 2)(x))
        x = _level(network.model_copy(update={"units": 2 * network.units}), x)
        x = keras.layers.Reshape((x.shape[1] * x.shape[2], x.shape[3]))(x)
    else:
        x = recurrent(network, keras.layers.Reshape((height, width * channels))(x), sequences=True)
    features = dropped(network, MaxMeanPool(name="pool")(x) if network.pooling == "max_mean" else x[:, -1])
    out = keras.layers.Dense(len(encoder["label_names"]), name="classes")(features)
    return keras.Model(pixels, out, name="image_rows")


def _patches(x: Any, size: int) -> Any:
    """Cut images into patches with the pixels around them.

    [batch, height, width, channels] → [batch, height/size, width/size, (size + 2)² × channels].
    """
    _, height, width, channels = x.shape
    rows, columns, side = height // size, width // size, size + 2
    x = keras.ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = keras.ops.stack([x[:, i * size : i * size + side] for i in range(rows)], axis=1)
    x = keras.ops.stack([x[:, :, :, j * size : j * size + side] for j in range(columns)], axis=2)
    return keras.ops.reshape(x, (-1, rows, columns, side * side * channels))


def _merged(x: Any) -> Any:
    """Merge groups of 2 × 2: [batch, rows, columns, features] → [batch, rows/2, columns/2, 4 × features]."""
    _, rows, columns, features = x.shape
    x = keras.ops.reshape(x, (-1, rows // MERGE, MERGE, columns // MERGE, MERGE * features))
    x = keras.ops.transpose(x, (0, 1, 3, 2, 4))
    return keras.ops.reshape(x, (-1, rows // MERGE, columns // MERGE, MERGE * MERGE * features))


def _level(network: ImageRowsNetwork, x: Any) -> Any:
    """Apply recurrent layers along every row of the grid, and others along every column of their outputs."""
    for axes in ((0, 1, 2, 3), (0, 2, 1, 3)):
        x = keras.ops.transpose(x, axes)
        _, lines, steps, features = x.shape
        swept = recurrent(network, keras.ops.reshape(x, (-1, steps, features)), sequences=True)
        x = keras.ops.transpose(keras.ops.reshape(swept, (-1, lines, steps, swept.shape[-1])), axes)
    return x


class Pictures:
    """The images of some splits in random order; with `augment`, mirrored at random and shifted by a few pixels."""

    def __init__(self, network: ImageRowsNetwork, encoded: Encoded, splits: tuple[str, ...]) -> None:
        self.network = network
        self.x = np.concatenate([encoded.arrays[f"{name}_x"] for name in splits])
        classes = len(encoded.encoder["label_names"])
        y = np.concatenate([encoded.arrays[f"{name}_y"] for name in splits])
        self.y = np.eye(classes, dtype=np.float32)[y]
        self.steps = -(-len(self.x) // network.batch_size)

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (pixels uint8 [batch, height, width, channels], labels float32 [batch, classes])."""
        order = rng.permutation(len(self.x))
        for i in range(0, len(order), self.network.batch_size):
            group = order[i : i + self.network.batch_size]
            yield augmented(self.x[group], rng) if self.network.augment else self.x[group], self.y[group], None


def augmented(x: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Mirror each image with probability ½, and shift it by up to SHIFT pixels with its border reflected.

    x: uint8 [images, height, width, channels], as the result.
    """
    _, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0)), "reflect")
    down, right = rng.integers(0, 2 * SHIFT + 1, (2, len(x)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (height, width), (1, 2))
    shifted = views[np.arange(len(x)), down, right].transpose(0, 2, 3, 1)
    mirrored = rng.random(len(x)) < 0.5
    return np.asarray(np.where(mirrored[:, None, None, None], shifted[:, :, ::-1], shifted))


def loss(network: ImageRowsNetwork) -> Any:
    """Return the cross-entropy of logits, or for one_to_many the negative log likelihood of the image."""
    if network.topology == "one_to_many":
        return drawing.negative_log_likelihood
    return keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=network.label_smoothing)


def feed(network: ImageRowsNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Pictures:
    """Return the training batches of the splits."""
    return Pictures(network, encoded, splits)


class ImageReader:
    """Classifies the images of a split; a one_to_many network also draws images."""

    def __init__(self, model: Compiled, network: ImageRowsNetwork, encoded: Encoded) -> None:
        self.model, self.network, self.encoded = model, network, encoded

    def predict(self, split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float32]:
        """Return float32 [images of the split, classes]: probabilities."""
        return probabilities(self.model, self.encoded.arrays[f"{split}_x"], mirrored=self.network.augment)

    def further_arrays(self, fitted_on: tuple[str, ...], fold: int) -> dict[str, NDArray[Any]]:
        """Return `drawn` uint8 [classes, images, height, width, channels]: images drawn from the label alone."""
        if self.network.topology != "one_to_many":
            return {}
        return {"drawn": drawing.draw(self.model.model, self.encoded.encoder)}


def predictor(model: Compiled, network: ImageRowsNetwork, encoded: Encoded) -> Predictor:
    """Return the predictions of ImageReader and its drawings."""
    reader = ImageReader(model, network, encoded)
    return Predictor(reader.predict, reader.further_arrays)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor)
