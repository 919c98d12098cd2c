"""Prepare labelled images for image_rows: stratified splits, and the scaling of each channel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import ImageRowsData
from pipeline.encoding.records import SPLITS, Encoded, Images
from pipeline.evaluation.network import Predicting


def encode(record: Images, row: ImageRowsData, seed: int) -> Encoded:
    """Return the arrays <split>_x: uint8 [images, height, width, channels] and <split>_y: int32 [images].

    Of synthetic images also optimum: float32 [test images, classes], the probability of each class given the image.

    The published test part is the test. Validation is a stratified share, and so is the test if none was published.
    """
    rng = np.random.default_rng(seed)
    part = _parts(record, row, rng)
    if row.validation_is_test:
        part[part == 1] = 0
    where = {name: part == (2 if i == 1 and row.validation_is_test else i) for i, name in enumerate(SPLITS)}
    arrays: dict[str, NDArray[Any]] = {}
    for name, chosen in where.items():
        arrays[f"{name}_x"], arrays[f"{name}_y"] = record.pixels[chosen], record.labels[chosen]
    if record.optimum is not None:
        arrays["optimum"] = record.optimum[where["test"]]
    mean, sd = _moments(arrays["train_x"])
    encoder = {
        "label_names": list(record.label_names),
        "shape": list(record.pixels.shape[1:]),
        "mean": mean,
        "sd": sd,
    }
    before = SPLITS[:1] if row.validation_is_test else SPLITS[:2]
    summary: dict[str, Any] = {
        "before_test": list(before),
        "repeats_across_splits": _repeats(arrays, before),
        "findings": dict(record.findings),
    }
    if row.validation_is_test:
        count = int(where["test"].sum())
        summary["flaws"] = [f"The {count} test images are also the validation images, which every epoch is judged on."]
    return Encoded(arrays, encoder, {name: int(chosen.sum()) for name, chosen in where.items()}, summary)


def _parts(record: Images, row: ImageRowsData, rng: np.random.Generator) -> NDArray[np.int8]:
    """Return int8 [images]: 0 train, 1 validation, 2 test."""
    part = np.zeros(len(record.labels), np.int8)
    is_test = record.is_test if record.is_test is not None else _share(record.labels, row.test, rng)
    rest = np.flatnonzero(~is_test)
    part[rest[_share(record.labels[rest], row.validation, rng)]] = 1
    part[is_test] = 2
    return part


def _moments(pixels: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Return mean and sd of each channel of the values scaled to 0–1, from counts, which needs no copy as floats."""
    values = np.arange(256) / 255.0
    means, sds = [], []
    for channel in range(pixels.shape[-1]):
        share = np.bincount(pixels[..., channel].ravel(), minlength=256) / pixels[..., channel].size
        means.append(float(share @ values))
        sds.append(float(np.sqrt(share @ (values - means[-1]) ** 2)))
    return means, sds


def _share(labels: NDArray[np.int32], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return bool [examples]: a random `share` of each class."""
    chosen = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        chosen[members[: round(len(members) * share)]] = True
    return chosen


def _repeats(arrays: dict[str, NDArray[Any]], before: Sequence[str]) -> int:
    """Count the test images that also occur, pixel for pixel, in the splits `before`."""
    seen = {image.tobytes() for name in before for image in arrays[f"{name}_x"]}
    return sum(image.tobytes() in seen for image in arrays["test_x"])


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder as it is: its scaling is always that of the training part."""
    return dict(encoded.encoder)


def probabilities(model: Predicting, pixels: NDArray[np.uint8], *, mirrored: bool) -> NDArray[np.float32]:
    """Return float32 [images, classes]; mirrored: the means over each image and its mirror image."""
    views = [pixels, pixels[:, :, ::-1]] if mirrored else [pixels]
    parts = [
        np.concatenate([_softmax(model.predict(view[i : i + 500])) for i in range(0, len(view), 500)]) for view in views
    ]
    return np.asarray(np.mean(parts, axis=0), np.float32)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
