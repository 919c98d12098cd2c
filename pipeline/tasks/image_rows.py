"""Images as sequences: a recurrent network reads an image row by row and names its class."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import SPLITS, Encoded, Images
from pipeline.rows.datasets import ImageRowsData
from pipeline.tasks.base import Baseline

HEADLINE = "top1_accuracy"
MONITOR = "top1_accuracy"
BLOCK = 1
SEARCHED = 5_000


def encode(record: Images, row: ImageRowsData, seed: int) -> Encoded:
    """Arrays <split>_x: uint8 [images, height, width, channels] and <split>_y: int32 [images].

    The published test part is the test; validation (and the test, where there is none) is a stratified share.
    """
    rng = np.random.default_rng(seed)
    part = _parts(record, row, rng)
    if row.validation_is_test:
        part[part == 1] = 0
    where = {name: part == (2 if i == 1 and row.validation_is_test else i) for i, name in enumerate(SPLITS)}
    arrays: dict[str, NDArray[Any]] = {}
    for name, chosen in where.items():
        arrays[f"{name}_x"], arrays[f"{name}_y"] = record.pixels[chosen], record.labels[chosen]
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
        summary["flaws"] = [f"The {count} test images are the validation images too: epochs were watched on them."]
    return Encoded(arrays, encoder, {name: int(chosen.sum()) for name, chosen in where.items()}, summary)


def _parts(record: Images, row: ImageRowsData, rng: np.random.Generator) -> NDArray[np.int8]:
    """int8 [images]: 0 train, 1 validation, 2 test."""
    part = np.zeros(len(record.labels), np.int8)
    is_test = record.is_test if record.is_test is not None else _share(record.labels, row.test, rng)
    rest = np.flatnonzero(~is_test)
    part[rest[_share(record.labels[rest], row.validation, rng)]] = 1
    part[is_test] = 2
    return part


def _moments(pixels: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel, of values scaled to 0–1; from counts, not from a copy as floats."""
    values = np.arange(256) / 255.0
    means, sds = [], []
    for channel in range(pixels.shape[-1]):
        share = np.bincount(pixels[..., channel].ravel(), minlength=256) / pixels[..., channel].size
        means.append(float(share @ values))
        sds.append(float(np.sqrt(share @ (values - means[-1]) ** 2)))
    return means, sds


def _share(labels: NDArray[np.int32], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """bool [examples]: a random `share` of each class."""
    chosen = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        chosen[members[: round(len(members) * share)]] = True
    return chosen


def _repeats(arrays: dict[str, NDArray[Any]], before: Sequence[str]) -> int:
    """How many test images stand, pixel for pixel, in the splits `before` as well."""
    seen = {image.tobytes() for name in before for image in arrays[f"{name}_x"]}
    return sum(image.tobytes() in seen for image in arrays["test_x"])


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder: its scaling is fitted on the training part alone."""
    return dict(encoded.encoder)


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int = 0) -> dict[str, float]:
    """`predictions`: float [images, classes], probabilities."""
    truth = encoded.arrays[f"{split}_y"]
    p = np.clip(predictions[np.arange(len(truth)), truth].astype(np.float64), 1e-7, 1.0)
    return {
        "top1_accuracy": float(np.mean(predictions.argmax(axis=1) == truth)),
        "log_loss": float(-np.log(p).mean()),
    }


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int = 0) -> NDArray[np.float64]:
    """1 for each test image that is given the wrong class, else 0."""
    return np.asarray(predictions.argmax(axis=1) != encoded.arrays["test_y"], np.float64)


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Majority class, and multinomial logistic regression on the pixels."""
    arrays, classes = encoded.arrays, len(encoded.encoder["label_names"])
    y = np.concatenate([arrays[f"{name}_y"] for name in encoded.summary["before_test"]])
    majority = np.tile(np.bincount(y, minlength=classes) / len(y), (len(arrays["test_y"]), 1))
    found = {"majority": majority, "logistic regression": _logistic(encoded)}
    return {name: Baseline(score(encoded, "test", p), (p,)) for name, p in found.items()}


def _logistic(encoded: Encoded) -> NDArray[np.float64]:
    """float64 [test images, classes].

    C is chosen inside the training part, since a chapter's validation is its test, and with at most SEARCHED images on
    either side, which costs minutes less. They are drawn: published images may stand in the order of their classes.
    """
    arrays = encoded.arrays
    x = {n: standardised(arrays[f"{n}_x"], encoded.encoder).reshape(len(arrays[f"{n}_x"]), -1) for n in SPLITS}
    y = {n: arrays[f"{n}_y"] for n in SPLITS}
    half = min(SEARCHED, len(y["train"]) // 2)
    drawn = np.random.default_rng(0).permutation(len(y["train"]))
    ours, held_out = drawn[:half], drawn[half : 2 * half]

    def accuracy(strength: float) -> float:
        model = _fit(x["train"][ours], y["train"][ours], strength)
        return float(model.score(x["train"][held_out], y["train"][held_out]))

    best = max((0.0001, 0.001, 0.01), key=accuracy)
    before = encoded.summary["before_test"]
    model = _fit(np.concatenate([x[n] for n in before]), np.concatenate([y[n] for n in before]), best)
    return np.asarray(model.predict_proba(x["test"]))


def _fit(x: NDArray[np.float32], y: NDArray[np.int32], strength: float) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # A hundred steps: the rest of the way to the optimum costs minutes on 50,000 images and gains nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=100).fit(x, y)


def standardised(pixels: NDArray[np.uint8], encoder: Any) -> NDArray[np.float32]:
    """float32 of the shape of `pixels`: zero mean and unit variance in each channel, as measured on train."""
    mean, sd = np.array(encoder["mean"], np.float32), np.array(encoder["sd"], np.float32)
    return np.asarray((pixels.astype(np.float32) / 255.0 - mean) / np.maximum(sd, 1e-6), np.float32)
