"""Dynamic evaluation (Krause, Kahembwe, Murray and Renals 2018): measure a language model that goes on learning.

The text is read once, in order and with the state carried. Each segment is scored before the step that learns from it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.layers.cells import reset_states
from pipeline.training.average import Weights, load
from pipeline.training.compiled import Compiled

# Chosen on the validation part of two texts.
SEGMENT = 20  # characters between two steps
PULL = 0.003  # share of the way back to the trained weights in each step, of a weight whose gradients are average
FLOOR = 1e-4  # is added to the root mean square of a gradient
GATHERED = 300  # segments before the text, from which the mean squares come


def adaptive_bits(
    model: Any, loss: Any, weights: Weights, before: NDArray[Any], text: NDArray[Any], rate: float
) -> NDArray[np.float32]:
    """Return float32 [len(text)]: the bits of each character, the mean over its segment.

    model: stateful, without dropout, with a batch of 1; loss: a mean of nats; weights: the trained ones; before, text:
    int [characters], `before` directly precedes `text`; rate: the learning rate, 0.0 to learn nothing. With weights
    that are no longer finite, so are the bits.
    """
    load(model, weights)
    steps = Steps(weights)
    reader = Compiled(model, loss, steps)
    reset_states(model)
    ids = np.concatenate([before[-GATHERED * SEGMENT - 1 :], text]).astype(np.int32)
    start = len(ids) - len(text)
    _read(reader, ids[:start])
    steps.begin(rate, -(-(start - 1) // SEGMENT))
    bits = _read(reader, ids[start - 1 :])
    load(model, weights)
    return bits


def _read(reader: Compiled, ids: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return float32 [len(ids) - 1]: the bits of each character but the first, read from the present state."""
    bits = np.zeros(len(ids) - 1, np.float32)
    for i in range(0, len(bits), SEGMENT):
        segment = ids[None, i : i + SEGMENT + 1]
        bits[i : i + SEGMENT] = reader.train(segment[:, :-1], segment[:, 1:], None) / np.log(2.0)
    return bits


class Steps:
    """Steps scaled by the root mean square of each weight's gradient, with a pull back to the trained weights.

    Takes the place of an optimiser in Compiled. Before `begin`, squares of gradients are added up and no weight moves.
    """

    def __init__(self, weights: Weights) -> None:
        import tensorflow as tf  # late: the other back ends have no dynamic evaluation

        self.trained = [tf.constant(weight) for weight in weights]
        self.squares = [tf.Variable(tf.zeros_like(weight)) for weight in weights]
        self.rate, self.gathers = tf.Variable(0.0), tf.Variable(1.0)

    def build(self, variables: Any) -> None:
        """Nothing is left to build."""

    def begin(self, rate: float, segments: int) -> None:
        """Turn the sums of squares of so many segments into means, and begin to learn."""
        for squares in self.squares:
            squares.assign(squares / max(segments, 1))
        self.gathers.assign(0.0)
        self.rate.assign(rate)

    def apply(self, gradients: Any, variables: Any) -> None:
        """Update the variables, of Keras, by their gradients."""
        import tensorflow as tf

        for variable, given, trained, squares in zip(variables, gradients, self.trained, self.squares, strict=True):
            gradient, root = tf.convert_to_tensor(given), tf.sqrt(squares)
            pull = tf.minimum((1.0 - self.gathers) * PULL * root / (tf.reduce_mean(root) + 1e-12), 1.0)
            step = pull * (trained - variable.value) - self.rate * gradient / (root + FLOOR)
            variable.assign(variable.value + step)
            squares.assign_add(self.gathers * tf.square(gradient))
