"""The loops of pipeline.layers.loops as operations of TensorFlow with their gradients.

Arrays are float32: sequences [batch, time, …], states [batch, units]; mask: bool [batch, time] or None, and then in the
form that the loops take.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.layers.loops import halves
from pipeline.layers.loops.products import WIDTH

Tensor = Any


def projected(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Return the products of all steps with `kernel`, plus `bias`: [batch, time, features] → [batch, time, gates]."""
    shape, kernel = tf.shape(x), tf.convert_to_tensor(kernel)
    flat = tf.nn.bias_add(tf.matmul(tf.reshape(x, [-1, kernel.shape[0]]), kernel), bias)
    return tf.reshape(flat, [shape[0], shape[1], kernel.shape[1]])


def reversed_in_time(x: Tensor | None) -> Tensor | None:
    """Return the steps in reverse order."""
    return None if x is None else tf.reverse(x, [1])


def with_zeros(out: Tensor, mask: Tensor | None, everywhere: bool) -> Tensor:
    """Set the outputs before the first unmasked step to zero, as Keras does; the state there is the initial one.

    everywhere: set those of all masked steps to zero, as Keras does in both directions of a bidirectional layer.
    """
    if mask is None:
        return out
    seen = tf.cast(mask, tf.bool) if everywhere else tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
    return tf.where(seen[..., None], out, 0.0)


def gru(x: Tensor, start: Tensor, recurrent: Tensor, bias: Tensor, mask: Tensor | None) -> Tensor:
    """Return the state after each step; see loops.gru."""
    present, units = _present(mask), start.shape[-1]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def layer(x: Tensor, start: Tensor, recurrent: Tensor, bias: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
        out, kept = _call(halves.gru_forward, [x, start, _panels(recurrent), bias, present], [units, 4 * units])

        def gradient(d_out: Tensor) -> tuple[Tensor, ...]:
            given = [d_out, start, out, kept, _panels(tf.transpose(recurrent)), present]
            d_x, d_over, d_start = _call(halves.gru_backward, given, [3 * units, 3 * units, -units])
            return d_x, d_start, _of_weights(start, out, d_over), tf.reduce_sum(d_over, [0, 1])

        return out, gradient

    return layer(*map(tf.convert_to_tensor, (x, start, recurrent, bias)))


def lstm(
    x: Tensor, start: Tensor, memory: Tensor, recurrent: Tensor, peepholes: Tensor | None, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the output after each step, and the memory after the last; see loops.lstm."""
    present, units = _present(mask), start.shape[-1]
    with_peepholes = peepholes is not None

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def layer(
        x: Tensor, start: Tensor, memory: Tensor, recurrent: Tensor, peepholes: Tensor
    ) -> tuple[tuple[Tensor, Tensor], Callable[..., Any]]:
        given = [x, start, memory, _panels(recurrent), peepholes, present]
        out, memories, kept = _call(halves.lstm_forward, given, [units, units, 4 * units])

        def gradient(d_out: Tensor, d_last: Tensor) -> tuple[Tensor, ...]:
            panels = _panels(tf.transpose(recurrent))
            given = [d_out, d_last, memory, memories, kept, panels, peepholes, present]
            d_x, d_start, d_memory = _call(halves.lstm_backward, given, [4 * units, -units, -units])
            d_peepholes = _of_peepholes(memory, memories, d_x) if with_peepholes else tf.zeros_like(peepholes)
            return d_x, d_start, d_memory, _of_weights(start, out, d_x), d_peepholes

        return (out, memories[:, -1]), gradient

    some = peepholes if with_peepholes else tf.zeros([0, units])
    out, last = layer(*map(tf.convert_to_tensor, (x, start, memory, recurrent, some)))
    return out, last


def simple_rnn(x: Tensor, start: Tensor, recurrent: Tensor, mask: Tensor | None) -> Tensor:
    """Return the state after each step; see loops.simple_rnn."""
    present, units = _present(mask), start.shape[-1]

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def layer(x: Tensor, start: Tensor, recurrent: Tensor) -> tuple[Tensor, Callable[[Tensor], Any]]:
        (out,) = _call(halves.simple_rnn_forward, [x, start, _panels(recurrent), present], [units])

        def gradient(d_out: Tensor) -> tuple[Tensor, ...]:
            given = [d_out, out, _panels(tf.transpose(recurrent)), present]
            d_x, d_start = _call(halves.simple_rnn_backward, given, [units, -units])
            return d_x, d_start, _of_weights(start, out, d_x)

        return out, gradient

    return layer(*map(tf.convert_to_tensor, (x, start, recurrent)))


def _call(function: Callable[..., Any], arguments: Sequence[Tensor], widths: Sequence[int]) -> Sequence[Tensor]:
    """Call a function of `halves`. widths: of its results, [batch, time, width], or negative for [batch, width]."""
    found = tf.numpy_function(function, arguments, [tf.float32] * len(widths), stateful=False)
    found = [found] if tf.is_tensor(found) else found
    for tensor, width in zip(found, widths, strict=True):
        batch, time = arguments[0].shape[:2]
        tensor.set_shape([batch, time, width] if width > 0 else [batch, -width])
    return found


def _present(mask: Tensor | None) -> Tensor:
    return np.zeros((0, 0), np.bool_) if mask is None else tf.cast(mask, tf.bool)


def _panels(weights: Tensor) -> Tensor:
    """Pack [depth, columns] as `products` wants it: [panels, depth, WIDTH], the last panel filled up with zeros."""
    depth, columns = weights.shape
    full = tf.pad(weights, [[0, 0], [0, -columns % WIDTH]])
    return tf.transpose(tf.reshape(full, [depth, -1, WIDTH]), [1, 0, 2])


def _before(start: Tensor, after: Tensor) -> Tensor:
    """Return the states before each step, from the first one and those after each step."""
    return tf.concat([start[:, None], after[:, :-1]], axis=1)


def _of_weights(start: Tensor, out: Tensor, d_gates: Tensor) -> Tensor:
    """Return the gradient of the recurrent weights, as one product over all rows and steps."""
    states = tf.reshape(_before(start, out), [-1, out.shape[-1]])
    return tf.matmul(states, tf.reshape(d_gates, [-1, d_gates.shape[-1]]), transpose_a=True)


def _of_peepholes(start: Tensor, memory: Tensor, d_gates: Tensor) -> Tensor:
    """Return the gradient of the peepholes of i, f and o: the first two saw the memory before the step."""
    before = _before(start, memory)
    d_write, d_forget, _, d_read = tf.split(d_gates, 4, axis=-1)
    return tf.stack(
        [tf.reduce_sum(d * seen, [0, 1]) for d, seen in ((d_write, before), (d_forget, before), (d_read, memory))]
    )
