"""Baselines of image_rows: the majority class and linear classifiers on the same test images."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.baselines import patch_features
from pipeline.encoding.records import SPLITS, Encoded
from pipeline.evaluation.metric import Baseline
from pipeline.tasks.image_rows.score import score

SEARCHED = 5_000  # images, at most, on either side of the search for C


def baselines(encoded: Encoded) -> dict[str, Baseline]:
    """Score the majority class, and multinomial logistic regression on the pixels and on k-means patch features."""
    arrays, classes = encoded.arrays, len(encoded.encoder["label_names"])
    y = np.concatenate([arrays[f"{name}_y"] for name in encoded.summary["before_test"]])
    majority = np.tile(np.bincount(y, minlength=classes) / len(y), (len(arrays["test_y"]), 1))
    predicted = {"majority": majority, "logistic regression": _logistic(encoded), "k-means patches": _patches(encoded)}
    return {name: Baseline(score(encoded, "test", p), (p,)) for name, p in predicted.items()}


def _logistic(encoded: Encoded) -> NDArray[np.float64]:
    """Return float64 [test images, classes]: probabilities of a logistic regression on standardised pixels."""
    arrays = encoded.arrays
    x = {n: standardised(arrays[f"{n}_x"], encoded.encoder).reshape(len(arrays[f"{n}_x"]), -1) for n in SPLITS}
    return _classified(x, encoded, (0.0001, 0.001, 0.01))


def _patches(encoded: Encoded) -> NDArray[np.float64]:
    """Return float64 [test images, classes]: probabilities of a logistic regression on k-means patch features.

    The dictionary of patches and the scaling of the features are those of the training part.
    """
    arrays, used = encoded.arrays, {*encoded.summary["before_test"], "test"}
    dictionary = patch_features.learned(arrays["train_x"])
    images = sum(len(arrays[f"{n}_x"]) for n in used)
    stride = patch_features.stride_for(images, arrays["train_x"].shape[1:3], dictionary.side)
    x = {n: patch_features.pooled(arrays[f"{n}_x"], dictionary, stride) for n in SPLITS if n in used}
    mean, sd = x["train"].mean(axis=0), np.maximum(x["train"].std(axis=0), 1e-6)
    for features in x.values():
        features -= mean
        features /= sd
    return _classified(x, encoded, (0.001, 0.01, 0.1))


def _classified(
    x: dict[str, NDArray[np.float32]], encoded: Encoded, strengths: tuple[float, ...]
) -> NDArray[np.float64]:
    """Fit a logistic regression on features, float32 [images, features] of each part; classify the test images.

    C is chosen within the training part, because the textbook's validation part is its test part. At most SEARCHED
    images on either side save minutes. They are drawn at random, because published images may be sorted by class.
    """
    before, y = encoded.summary["before_test"], {n: encoded.arrays[f"{n}_y"] for n in SPLITS}
    half = min(SEARCHED, len(y["train"]) // 2)
    drawn = np.random.default_rng(0).permutation(len(y["train"]))
    ours, held_out = drawn[:half], drawn[half : 2 * half]

    def accuracy(strength: float) -> float:
        model = _fit(x["train"][ours], y["train"][ours], strength)
        return float(model.score(x["train"][held_out], y["train"][held_out]))

    best = max(strengths, key=accuracy)
    model = _fit(np.concatenate([x[n] for n in before]), np.concatenate([y[n] for n in before]), best)
    return np.asarray(model.predict_proba(x["test"]))


def _fit(x: NDArray[np.float32], y: NDArray[np.int32], strength: float) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        # 100 iterations: to converge takes minutes more on 50,000 images and gains nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=strength, max_iter=100).fit(x, y)


def standardised(pixels: NDArray[np.uint8], encoder: Any) -> NDArray[np.float32]:
    """Return float32 of the shape of `pixels`, with zero mean and unit variance of each channel on train."""
    mean, sd = np.array(encoder["mean"], np.float32), np.array(encoder["sd"], np.float32)
    return np.asarray((pixels.astype(np.float32) / 255.0 - mean) / np.maximum(sd, 1e-6), np.float32)
