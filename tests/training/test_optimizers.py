"""The optimisers whose update is one operation: the weights of Keras' own after the same gradients."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema.networks import Network
from pipeline.layers import keras
from pipeline.training import optimizers
from pipeline.training.fit import optimizer

ROWS, UNITS, STEPS = 50, 8, 30


def trained(kind: Any, **options: Any) -> list[Any]:
    """Weights, momentums and velocities after some steps, in which the table's gradient has many rows twice."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in ((ROWS, UNITS), (UNITS,))]
    used = kind(0.01, **options)
    used.build(weights)

    @tf.function  # type: ignore[untyped-decorator]
    def step(values: Any, rows: Any, gradient: Any) -> None:
        used.apply([tf.IndexedSlices(values, rows, tf.constant([ROWS, UNITS])), gradient], weights)

    for number in range(STEPS):
        values, rows = rng.normal(size=(20, UNITS)).astype(np.float32), rng.integers(0, ROWS - 10, 20)
        step(values, rows, rng.normal(size=UNITS).astype(np.float32))
        used.learning_rate = 0.01 / (1 + number)
    return [np.asarray(v) for v in (*weights, *used.variables[2:])]


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
@pytest.mark.parametrize(
    "options", [{"global_clipnorm": 1.0}, {"global_clipnorm": 1e6}, {"clipvalue": 0.5}, {}], ids=str
)
def test_the_weights_are_those_of_keras(name: str, options: dict[str, Any]) -> None:
    options = {**options, "weight_decay": 0.01}
    found = trained(getattr(optimizers, name), **options)
    for ours, theirs in zip(found, trained(getattr(keras.optimizers, name), **options), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_the_setting_kernel_chooses_the_optimiser(kind: str) -> None:
    for kernel, module in (("auto", "pipeline.training.optimizers"), ("keras", "keras.src.optimizers")):
        made = optimizer(Network(dataset="made-up", optimizer=kind, kernel=kernel))
        assert type(made).__module__.startswith(module)
