"""Features of patches: whitening, activation and pooling by hand, and what the dictionary is learned from."""

import numpy as np
import pytest

from pipeline.baselines import patch_features
from pipeline.baselines.patch_features import (
    Dictionary,
    Whitening,
    activations,
    learned,
    normalised,
    pooled,
    stride_for,
    whitened,
)


def test_a_normalised_patch_has_no_mean_and_its_contrast_is_one() -> None:
    found = normalised(np.array([[0, 200, 0, 200], [7, 7, 7, 7]], np.uint8))
    # the variance is 10,000, to which 10 are added
    np.testing.assert_allclose(found[0], np.array([-100, 100, -100, 100]) / np.sqrt(10_010), rtol=1e-6)
    assert not found[1].any()


def test_whitened_patches_have_unit_covariance() -> None:
    rng = np.random.default_rng(0)
    patches = (rng.normal(size=(5_000, 6)) @ rng.normal(size=(6, 6)) + 3).astype(np.float32)
    white = whitened(patches, floor=0.0)(patches)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(white.T), np.eye(6), atol=1e-3)
    softened = whitened(patches, floor=1.0)
    np.testing.assert_allclose(softened.matrix, softened.matrix.T, atol=1e-5)  # zero-phase: a patch stays a patch
    assert np.cov(softened(patches).T).diagonal().max() < 1


def test_the_triangle_activation_by_hand() -> None:
    centroids = np.array([[0, 0], [6, 8]], np.float32)
    # the distances of (0, 0) are 0 and 10, their mean is 5; (3, 4) is 5 away from both
    found = activations(np.array([[0, 0], [3, 4], [6, 8]], np.float32), centroids)
    np.testing.assert_allclose(found, [[5, 0], [0, 0], [0, 5]], atol=1e-5)


def by_hand(side: int) -> Dictionary:
    """Two centroids that tell a bright right half from a bright left one; nothing is whitened."""
    right = np.tile(np.repeat([-1.0, 1.0], side // 2), side).astype(np.float32)
    inputs = side * side
    return Dictionary(
        side, Whitening(np.zeros(inputs, np.float32), np.eye(inputs, dtype=np.float32)), np.stack([right, -right])
    )


def test_activations_are_summed_in_each_quarter() -> None:
    images = np.zeros((2, 4, 4, 1), np.uint8)
    images[0, :2, 1] = 255  # in the upper left quarter, a patch whose right half is bright
    found = pooled(images, by_hand(2), stride=2)
    assert found.shape == (2, 4 * 2) and found.dtype == np.float32
    # its distances are nearly 0 and 4, so the first centroid is activated by nearly 2
    np.testing.assert_allclose(found[0], [2, 0, 0, 0, 0, 0, 0, 0], atol=1e-2)
    assert not found[1].any(), "a flat patch is as far from both"
    np.testing.assert_allclose(pooled(images[:, ::-1], by_hand(2), stride=2)[0, 4:6], [2, 0], atol=1e-2)
    np.testing.assert_allclose(pooled(images[:, :, ::-1], by_hand(2), stride=2)[0, 2:4], [0, 2], atol=1e-2)
    assert pooled(images[:0], by_hand(2)).shape == (0, 8)


def test_images_in_chunks_have_the_features_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(0).integers(0, 256, (13, 9, 7, 3), np.uint8)
    dictionary = learned(images)
    whole = pooled(images, dictionary)
    monkeypatch.setattr(patch_features, "CHUNK", 1)
    np.testing.assert_allclose(pooled(images, dictionary), whole, rtol=1e-4, atol=1e-4)
    assert len(set(map(bytes, whole))) == 13


@pytest.mark.parametrize(
    ("shape", "side"),
    [((32, 32, 3), 6), ((8, 8, 1), 4), ((4, 4, 2), 2), ((2, 9, 1), 2), ((1, 1, 1), 1), ((3, 1, 3), 1)],
)
def test_small_images_have_small_patches(shape: tuple[int, ...], side: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, *shape), np.uint8)
    dictionary = learned(images)
    assert dictionary.side == side and dictionary.centroids.shape == (8, side**2 * shape[2])
    features = pooled(images, dictionary)
    assert features.shape == (40, 32) and np.isfinite(features).all()
    np.testing.assert_array_equal(learned(images).centroids, dictionary.centroids)


def test_many_or_large_images_have_fewer_patches() -> None:
    assert stride_for(60_000, (32, 32), 6) == 1  # 27² places: 43.7 million
    assert stride_for(100_000, (32, 32), 6) == 2  # 72.9 million; with every second place 14²: 19.6 million
    assert stride_for(5_000, (32, 32), 6) == 3  # 27² places: 3.6 million; 14²: 980,000; 9²: 405,000
    assert stride_for(10**9, (32, 32), 6) == 6
    assert stride_for(10**9, (1, 1), 1) == 1
