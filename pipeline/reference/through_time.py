"""Run a cell along a sequence, and back-propagate through time (Werbos 1990), in full or truncated.

Unrolled, a recurrent layer is a deep network with the same weights in every step. The backward pass is that of any deep
network, from the last step to the first; the gradient of a weight is the sum of its gradients in all steps.

Truncated back-propagation (Williams and Peng 1990) follows the loss of a step back over a limited number of steps. In
general, a backward pass starts after every k1 steps and goes back over k2 steps:

- k1 = 1, k2 = `truncate`: used here. The loss of every step goes back over the same number of steps, at the cost of one
  short pass for each step;
- k1 = k2 = the length of a chunk, with the state carried over: what a stateful network in Keras does. This takes one
  pass for each chunk, but the loss of a chunk's first step does not go back at all.

A truncated gradient is biased: the weights are not trained to keep what is more than `truncate` steps back. The state
may still carry such information forward, and then the network can use it.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.reference.cells import Cell, Floats, Weights


class Unrolled(NamedTuple):
    """Outputs [batch, time, units], the trace of each step, and the state [states, batch, units] after the last one."""

    outputs: Floats
    traces: list[Any]
    state: Floats


def forward(cell: Cell, weights: Weights, x: Floats, state: Floats | None = None) -> Unrolled:
    """Run the cell over x [batch, time, features], starting from `state` or from zeros."""
    if state is None:
        state = np.zeros((cell.states, len(x), len(weights.recurrent)))
    outputs, traces = [], []
    for t in range(x.shape[1]):
        state, trace = cell.step(x[:, t], state, weights)
        outputs.append(state[0])
        traces.append(trace)
    return Unrolled(np.stack(outputs, axis=1), traces, state)


def backward(
    cell: Cell, weights: Weights, traces: list[Any], d_outputs: Floats, truncate: int | None = None
) -> tuple[Floats, Weights]:
    """Compute d_x [batch, time, features] and d_weights from d_outputs [batch, time, units].

    truncate: the number of steps over which the gradient of a loss flows back. With 0 it stays in the step of the loss;
    None, or time - 1 and more, gives the full gradient.
    """
    steps = len(traces)
    if truncate is None or truncate >= steps - 1:
        return _pass(cell, weights, traces, d_outputs)
    d_x = np.zeros((*d_outputs.shape[:2], len(weights.kernel)))
    d_weights = Weights(*map(np.zeros_like, weights))
    for last in np.flatnonzero(d_outputs.any(axis=(0, 2))).tolist():
        window = slice(max(0, last - truncate), last + 1)
        d_window = np.zeros_like(d_outputs[:, window])
        d_window[:, -1] = d_outputs[:, last]
        d_x_window, d_weights_window = _pass(cell, weights, traces[window], d_window)
        d_x[:, window] += d_x_window
        d_weights = added(d_weights, d_weights_window)
    return d_x, d_weights


def _pass(cell: Cell, weights: Weights, traces: list[Any], d_outputs: Floats) -> tuple[Floats, Weights]:
    """Go back from the last step to the first, adding both gradients of a state: as output and in the next step."""
    d_x = np.empty((*d_outputs.shape[:2], len(weights.kernel)))
    d_weights = Weights(*map(np.zeros_like, weights))
    d_state = np.zeros((cell.states, *d_outputs[:, 0].shape))
    for t in reversed(range(len(traces))):
        d_state[0] += d_outputs[:, t]
        d_x[:, t], d_state, d_step = cell.back(d_state, traces[t], weights)
        d_weights = added(d_weights, d_step)
    return d_x, d_weights


def added(a: Weights, b: Weights) -> Weights:
    """Add two sets of weights, array by array."""
    return Weights(*(one + other for one, other in zip(a, b, strict=True)))
