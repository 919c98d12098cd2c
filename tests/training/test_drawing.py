"""One to many: likelihoods that are probabilities of images, in which a row depends on its label and the rows above."""

from typing import Any

import numpy as np

from pipeline.config.schema.networks import ImageRowsNetwork
from pipeline.layers import keras
from pipeline.tasks.image_rows.network import build
from pipeline.training.drawing import DRAWN, LEVELS, STEP, draw, negative_log_likelihood

ENCODER = {"shape": [3, 2, 1], "label_names": ["a", "b"], "mean": [0.4], "sd": [0.3]}
NETWORK = ImageRowsNetwork(dataset="made-up", task="image_rows", topology="one_to_many", units=5)


def built() -> Any:
    keras.utils.set_random_seed(1)
    return build(NETWORK, ENCODER)


def test_the_likelihoods_of_all_next_rows_sum_to_one() -> None:
    # One row of one pixel: its LEVELS greys are all the images there are.
    model = build(NETWORK, {**ENCODER, "shape": [1, 1, 1]})
    greys = (np.arange(LEVELS) * STEP).astype(np.uint8).reshape(-1, 1, 1, 1)
    total = np.exp(np.asarray(model(greys), np.float64)).sum(axis=0)
    np.testing.assert_allclose(total, [1.0, 1.0], rtol=1e-5)


def test_a_row_depends_on_the_label_and_the_rows_above_only() -> None:
    model = built()
    greys = keras.Model(model.input, model.get_layer("logits").output)
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 2, 1)).astype(np.uint8)
    before = np.asarray(greys(images))
    assert before.shape == (2, 2, 3, 2, LEVELS)
    images[0, 1] += 100
    after = np.asarray(greys(images))
    np.testing.assert_array_equal(after[0, :, :2], before[0, :, :2])
    assert (after[0, :, 2] != before[0, :, 2]).all()
    np.testing.assert_array_equal(after[1], before[1])
    assert (before[:, 0] != before[:, 1]).all()


def test_the_loss_is_that_of_the_true_label_alone() -> None:
    found = np.array([[-3.0, -5.0], [-7.0, -1.0]], np.float32)
    truth = np.array([[1, 0], [0, 1]], np.float32)
    assert float(negative_log_likelihood(truth, found)) == 2.0


def test_drawing_follows_the_label_and_is_repeatable() -> None:
    model = built()
    weights = [w * 0 for w in model.get_weights()]
    model.set_weights(weights)
    drawn = draw(model, ENCODER)
    assert drawn.shape == (2, DRAWN, 3, 2, 1) and drawn.dtype == np.uint8
    assert np.array_equal(drawn, draw(model, ENCODER))
    assert len(np.unique(drawn)) > 5 and set(np.unique(drawn)) <= set(range(STEP // 2, 256, STEP))
    bias = np.zeros((2, LEVELS))
    bias[:, 3] = 50.0
    model.set_weights([*weights[:-1], bias.reshape(-1)])
    assert set(np.unique(draw(model, ENCODER))) == {3 * STEP + STEP // 2}
