"""Nothing of the test part reaches what a classifier of images is fitted on."""

import numpy as np

from pipeline.config.schema.datasets import ImageRowsData
from pipeline.encoding.records import (
    SPLITS,
    Images,
)
from pipeline.tasks.image_rows.prepare import encode

IMAGES = ImageRowsData(source="made-up", task="image_rows")


def pictures() -> Images:
    rng = np.random.default_rng(0)
    labels = np.arange(90, dtype=np.int32) % 3
    return Images(rng.integers(0, 256, (90, 4, 4, 2), dtype=np.uint8), labels, ("a", "b", "c"), np.arange(90) >= 70)


def test_images_are_tested_on_the_published_part_alone() -> None:
    images = pictures()
    arrays = encode(images, IMAGES, 0).arrays
    assert np.array_equal(arrays["test_x"], images.pixels[70:])
    everything = [image.tobytes() for split in SPLITS for image in arrays[f"{split}_x"]]
    assert len(everything) == len(set(everything)) == 90


def test_the_last_row_is_the_last_of_the_data() -> None:
    images = pictures()
    assert np.array_equal(encode(images, IMAGES, 0).arrays["test_x"][-1], images.pixels[-1])


def test_moments_of_images_are_those_of_the_training_part() -> None:
    images = pictures()
    encoded = encode(images, IMAGES, 0)
    pixels = images.pixels.copy()
    seen = {image.tobytes() for image in encoded.arrays["train_x"]}
    unseen = np.array([image.tobytes() not in seen for image in pixels])
    assert unseen.sum() == encoded.examples["validation"] + encoded.examples["test"]
    pixels[unseen] = 0
    assert encode(Images(pixels, images.labels, images.label_names, images.is_test), IMAGES, 0).encoder == (
        encoded.encoder
    )
    pixels[~unseen] //= 2
    halved = encode(Images(pixels, images.labels, images.label_names, images.is_test), IMAGES, 0).encoder
    assert halved["mean"] != encoded.encoder["mean"] and halved["sd"] != encoded.encoder["sd"]
