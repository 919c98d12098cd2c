"""Learn features of image patches by k-means and pool them over an image (Coates, Ng and Lee, AISTATS 2011).

Patches are normalised in contrast and whitened (ZCA). A dictionary of centroids is learned from random patches. Each
patch of an image then activates the centroids that are nearer than average, and the activations are summed in each
quarter of the image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 6  # pixels of a patch; less in small images
CENTROIDS = 300  # at which the images of CIFAR-10 take minutes
SAMPLED, OF_IMAGE = 100_000, 20  # patches that the dictionary is learned from, at most; of an image, on average
OF_CENTROID = 100  # patches that a centroid is learned from, at least
# Patches, at most, in all images; a larger stride keeps to it. A few images take seconds with less.
PLACES, FEW_IMAGES, PLACES_OF_FEW = 50_000_000, 5_000, 500_000
CHUNK = 1 << 24  # activations that are held at once
CONTRAST = 10.0  # added to a patch's variance (values 0–255), so that noise in flat patches stays small
FLOOR = 0.1  # added to the variances of the components before whitening
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Whitening:
    """A linear map of normalised patches. mean: float32 [inputs]; matrix: float32 [inputs, inputs]."""

    mean: Floats
    matrix: Floats

    def __call__(self, patches: Floats) -> Floats:
        """Map patches, float32 [patches, inputs], to zero mean and about unit covariance."""
        return np.asarray((patches - self.mean) @ self.matrix)


@dataclass(frozen=True)
class Dictionary:
    """What patches are compared with. side: pixels of a patch; centroids: float32 [centroids, inputs]."""

    side: int
    whitening: Whitening
    centroids: Floats


def learned(images: NDArray[np.uint8], seed: int = 0) -> Dictionary:
    """Learn a dictionary from random patches of `images`, uint8 [images, height, width, channels]."""
    from sklearn.cluster import MiniBatchKMeans

    height, width = images.shape[1:3]
    side = min(SIDE, max(2, min(height, width) // 2), height, width)
    rng = np.random.default_rng(seed)
    count = min(SAMPLED, OF_IMAGE * len(images))
    which, down, right = (rng.integers(0, n, count) for n in (len(images), height - side + 1, width - side + 1))
    flat = normalised(_windows(images, side)[which, down, right].reshape(count, -1))
    whitening = whitened(flat)
    clusters = max(1, min(CENTROIDS, count // OF_CENTROID))
    means = MiniBatchKMeans(clusters, batch_size=4_096, n_init=1, max_iter=5, random_state=seed)
    return Dictionary(side, whitening, means.fit(whitening(flat)).cluster_centers_.astype(np.float32))


def normalised(patches: NDArray[np.uint8]) -> Floats:
    """Return float32 [patches, inputs] with zero mean and about unit variance of the values within each patch."""
    values = patches.astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.sqrt(values.var(axis=1, keepdims=True) + CONTRAST)
    return values


def whitened(patches: Floats, floor: float = FLOOR) -> Whitening:
    """Fit the ZCA whitening of patches, float32 [patches, inputs]; with floor 0 their covariance becomes 1."""
    mean = patches.mean(axis=0, dtype=np.float64)
    centred = patches - mean
    variances, directions = np.linalg.eigh(centred.T @ centred / len(patches))
    matrix = (directions / np.sqrt(np.maximum(variances, 0) + floor)) @ directions.T
    return Whitening(mean.astype(np.float32), matrix.astype(np.float32))


def pooled(images: NDArray[np.uint8], dictionary: Dictionary, stride: int = 1) -> Floats:
    """Return float32 [images, 4 × centroids]: the activations summed in each quarter, from the upper left one on."""
    parts = [_pooled(chunk, dictionary, stride) for chunk in _chunks(images, dictionary, stride)]
    return np.concatenate(parts) if parts else np.zeros((0, 4 * len(dictionary.centroids)), np.float32)


def stride_for(images: int, shape: tuple[int, ...], side: int) -> int:
    """Return the smallest step between patches with which all images together have few enough, or else `side`.

    shape: height and width of an image, in pixels.
    """
    places = [(shape[0] - side + step) // step * ((shape[1] - side + step) // step) for step in range(1, side)]
    most = PLACES_OF_FEW if images <= FEW_IMAGES else PLACES
    return next((step for step, n in enumerate(places, start=1) if images * n <= most), side)


def activations(patches: Floats, centroids: Floats) -> Floats:
    """Compute max(0, mean of z − z_k), float32 [patches, centroids], where z_k is the distance to centroid k."""
    squares = np.einsum("ij,ij->i", patches, patches)[:, None] + np.einsum("ij,ij->i", centroids, centroids)
    z = patches @ centroids.T
    z *= -2.0
    z += squares
    np.sqrt(np.maximum(z, 0.0, out=z), out=z)
    np.subtract(z.mean(axis=1, keepdims=True), z, out=z)
    return np.asarray(np.maximum(z, 0.0, out=z))


def _windows(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a view uint8 [images, down, right, channels, side, side] of all patches."""
    return np.lib.stride_tricks.sliding_window_view(images, (side, side), (1, 2))


def _chunks(images: NDArray[np.uint8], dictionary: Dictionary, stride: int) -> Iterator[NDArray[np.uint8]]:
    _, height, width, _ = images.shape
    places = (height - dictionary.side + 1) * (width - dictionary.side + 1)
    step = max(1, CHUNK // (places * len(dictionary.centroids)) * stride**2)
    for i in range(0, len(images), step):
        yield images[i : i + step]


def _pooled(images: NDArray[np.uint8], dictionary: Dictionary, stride: int) -> Floats:
    views = _windows(images, dictionary.side)[:, ::stride, ::stride]
    count, rows, columns = views.shape[:3]
    flat = normalised(views.reshape(count * rows * columns, -1))
    active = activations(dictionary.whitening(flat), dictionary.centroids).reshape(count, rows, columns, -1)
    upper, left = (rows + 1) // 2, (columns + 1) // 2
    halves = [active[:, :upper].sum(axis=1), active[:, upper:].sum(axis=1)]
    return np.concatenate([part.sum(axis=1) for h in halves for part in (h[:, :left], h[:, left:])], axis=1)
