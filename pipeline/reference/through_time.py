"""A cell along a sequence, and back-propagation through time (Werbos 1990), whole or truncated.

Unrolled, a recurrent layer is a deep network with the same weights in every step. The way back is that of any deep
network, from the last step to the first; a weight's gradient is the sum of what all steps say about it.

Truncated (Williams and Peng 1990): the loss of a step is followed back over a limited number of steps. In general, a
pass is started after every k1 steps and goes back over k2 steps:

- k1 = 1, k2 = `truncate`: here. The loss of every step goes back over as many steps, at the price of one short pass
  for each of them;
- k1 = k2 = the length of a chunk, the state carried along: what a stateful network in Keras does. One pass for each
  chunk, but the loss of a chunk's first step goes back no step at all.

A gradient that was cut off is biased: the weights never learn what lies further back than `truncate` steps. The state
still brings it forward, so it may be used if it happens to be there.
"""

from typing import Any, NamedTuple

import numpy as np

from pipeline.reference.cells import Cell, Floats, Weights


class Unrolled(NamedTuple):
    """outputs [batch, time, units]; traces: one for each step; state [states, batch, units] after the last one."""

    outputs: Floats
    traces: list[Any]
    state: Floats


def forward(cell: Cell, weights: Weights, x: Floats, state: Floats | None = None) -> Unrolled:
    """x [batch, time, features] read from `state`, or from zeros."""
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
    """(d_x [batch, time, features], d_weights) from d_outputs [batch, time, units].

    truncate: over how many connections from a step to the one before it a gradient flows back at most; 0 stays in the
    step of its loss, None and everything from time - 1 on is the whole gradient.
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
    """From the last of the steps to the first. A state is used twice, as output and by the next step."""
    d_x = np.empty((*d_outputs.shape[:2], len(weights.kernel)))
    d_weights = Weights(*map(np.zeros_like, weights))
    d_state = np.zeros((cell.states, *d_outputs[:, 0].shape))
    for t in reversed(range(len(traces))):
        d_state[0] += d_outputs[:, t]
        d_x[:, t], d_state, d_step = cell.back(d_state, traces[t], weights)
        d_weights = added(d_weights, d_step)
    return d_x, d_weights


def added(a: Weights, b: Weights) -> Weights:
    return Weights(*(one + other for one, other in zip(a, b, strict=True)))
