"""Images row by row: figures by hand, stratified parts, scaling from the training part."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.datasets import ImageRowsData
from pipeline.encoding.records import SPLITS, Encoded, Images
from pipeline.tasks.image_rows.baselines import _fit, baselines, standardised
from pipeline.tasks.image_rows.prepare import encode
from pipeline.tasks.image_rows.score import losses, optimum, score


def row(**changes: object) -> ImageRowsData:
    return ImageRowsData.model_validate({"source": "s", "task": "image_rows", **changes})


def images(count: int, classes: int = 4, published: bool = False, seed: int = 0) -> Images:
    rng = np.random.default_rng(seed)
    is_test = np.arange(count) >= count - count // 5 if published else None
    names = tuple(f"class {i}" for i in range(classes))
    labels = rng.integers(0, classes, count).astype(np.int32)
    return Images(rng.integers(0, 256, (count, 6, 5, 3), dtype=np.uint8), labels, names, is_test)


def test_figures_by_hand() -> None:
    encoded = Encoded({"test_y": np.array([0, 1, 2, 2], np.int32)}, {}, {}, {})
    p = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.1, 0.2, 0.7], [0.0, 1.0, 0.0]])
    found = score(encoded, "test", p)
    assert found["top1_accuracy"] == 0.5
    assert found["log_loss"] == pytest.approx(-np.mean(np.log([0.7, 0.4, 0.7, 1e-7])))
    np.testing.assert_array_equal(losses(encoded, p), [0, 1, 0, 1])


def test_the_optimum_is_that_of_the_test_images() -> None:
    known = np.random.default_rng(1).dirichlet(np.ones(4), 100).astype(np.float32)
    record = replace(images(100, published=True), optimum=known)
    best = optimum(encode(record, row(), 3))
    assert best is not None and np.array_equal(best, known[80:])
    assert optimum(encode(images(100), row(), 3)) is None, "an unknown process"


def test_parts_are_disjoint_whole_and_balanced() -> None:
    record = images(400)
    encoded = encode(record, row(validation=0.1, test=0.25), 3)
    seen = [image.tobytes() for name in SPLITS for image in encoded.arrays[f"{name}_x"]]
    assert sorted(seen) == sorted(image.tobytes() for image in record.pixels)
    for label in range(4):
        total = np.sum(record.labels == label)
        tests = np.sum(encoded.arrays["test_y"] == label)
        assert abs(tests - 0.25 * total) <= 0.5
        assert abs(np.sum(encoded.arrays["validation_y"] == label) - 0.1 * (total - tests)) <= 0.5
    assert encoded.summary["repeats_across_splits"] == 0
    assert dict(encoded.examples) == {name: len(encoded.arrays[f"{name}_y"]) for name in SPLITS}


def test_labels_stay_with_their_images() -> None:
    record = images(100)
    label_of = {image.tobytes(): label for image, label in zip(record.pixels, record.labels, strict=True)}
    arrays = encode(record, row(), 3).arrays
    for name in SPLITS:
        assert [label_of[image.tobytes()] for image in arrays[f"{name}_x"]] == arrays[f"{name}_y"].tolist()


def test_the_published_test_part_is_the_test() -> None:
    record = images(100, published=True)
    encoded = encode(record, row(test=0.5), 3)
    assert record.is_test is not None
    np.testing.assert_array_equal(encoded.arrays["test_x"], record.pixels[record.is_test])
    assert encoded.examples["validation"] == pytest.approx(8, abs=2)


def test_repeats_across_the_parts_are_counted() -> None:
    record = images(100, published=True)
    record.pixels[-1] = record.pixels[-2] = record.pixels[0]
    assert encode(record, row(), 3).summary["repeats_across_splits"] == 2


def test_scaling_comes_from_the_training_part_alone() -> None:
    record = images(200, published=True)
    encoded = encode(record, row(), 3)
    train = encoded.arrays["train_x"] / 255.0
    np.testing.assert_allclose(encoded.encoder["mean"], train.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(encoded.encoder["sd"], train.std(axis=(0, 1, 2)), rtol=1e-12)
    scaled = standardised(encoded.arrays["train_x"], encoded.encoder)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(scaled.std(axis=(0, 1, 2)), 1, rtol=1e-5)
    record.pixels[-40:] = 0
    assert encode(record, row(), 3).encoder == encoded.encoder


def test_baselines_by_hand() -> None:
    record = images(120, classes=2)
    record.pixels[record.labels == 1, 0, 0] = 255
    record.pixels[record.labels == 0, 0, 0] = 0
    encoded = encode(record, row(), 3)
    found = baselines(encoded)
    before = np.concatenate([encoded.arrays["train_y"], encoded.arrays["validation_y"]])
    most = np.bincount(before).argmax()
    assert found["majority"].metrics["top1_accuracy"] == pytest.approx(np.mean(encoded.arrays["test_y"] == most))
    assert found["logistic regression"].metrics["top1_accuracy"] == 1.0


def test_a_chapter_watches_its_epochs_on_the_test_images() -> None:
    record = images(400, published=True)
    encoded = encode(record, row(validation_is_test=True, protocol="textbook"), 3)
    np.testing.assert_array_equal(encoded.arrays["validation_x"], encoded.arrays["test_x"])
    np.testing.assert_array_equal(encoded.arrays["test_x"], record.pixels[320:])
    np.testing.assert_array_equal(encoded.arrays["train_x"], record.pixels[:320])
    assert encoded.summary["flaws"] == [
        "The 80 test images are also the validation images, which every epoch is judged on."
    ]
    assert encoded.summary["repeats_across_splits"] == 0


def test_the_baselines_of_a_chapter_never_learn_the_test_images() -> None:
    record = images(400, published=True)
    encoded = encode(record, row(validation_is_test=True), 3)
    flipped = dict(encoded.arrays) | {"validation_y": (encoded.arrays["validation_y"] + 1) % 4}
    other = Encoded(flipped, encoded.encoder, encoded.examples, encoded.summary)
    found, again = baselines(encoded), baselines(other)
    for name, baseline in found.items():
        np.testing.assert_array_equal(baseline.predictions[0], again[name].predictions[0])
    assert found["logistic regression"].metrics["top1_accuracy"] < 0.5
    assert found["k-means patches"].metrics["top1_accuracy"] < 0.5


@pytest.mark.parametrize("changes", [{}, {"protocol": "textbook", "validation_is_test": True}])
def test_logistic_regression_meets_every_class_though_images_stand_class_by_class(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object]
) -> None:
    monkeypatch.setattr(
        "pipeline.tasks.image_rows.baselines.SEARCHED", 20
    )  # the published 50,000 images are far more than are searched with
    labels = np.sort(np.arange(200) % 4).astype(np.int32)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 40, (200, 6, 5, 3), dtype=np.uint8)
    pixels[np.arange(200), labels] += 100  # a bright row for each class
    record = Images(pixels, labels, ("a", "b", "c", "d"), rng.random(200) < 0.2)
    chosen: list[int] = []

    def noted(x: Any, y: Any, c: float) -> Any:
        chosen.append(len(np.unique(y)))
        return _fit(x, y, c)

    monkeypatch.setattr("pipeline.tasks.image_rows.baselines._fit", noted)
    found = baselines(encode(record, row(**changes), 0))
    assert chosen == [4] * 8
    assert found["logistic regression"].metrics["top1_accuracy"] > 0.95


def test_the_probabilities_of_a_very_sure_network() -> None:
    """exp(500) is more than a float32 holds."""
    from pipeline.tasks.image_rows.prepare import _softmax

    found = _softmax(np.array([[500.0, 498.0, -500.0]], np.float32))
    np.testing.assert_allclose(found, [[1 / (1 + np.exp(-2)), 1 / (1 + np.exp(2)), 0.0]], rtol=1e-5)
