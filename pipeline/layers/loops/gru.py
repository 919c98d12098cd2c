"""The GRU of Keras (Cho et al. 2014, `reset_after`) over whole sequences.

z = σ(x_z + h U_z + b_z), r = σ(x_r + h U_r + b_r), n = tanh(x_n + r·(h U_n + b_n)), h' = z·h + (1 − z)·n, where x
are the inputs' products with their weights, and their bias. A masked step leaves the state as it is.
"""

from typing import Any

import numpy as np

from pipeline.layers.loops import compiled
from pipeline.layers.loops.gates import ONE, sigmoid, tanh
from pipeline.layers.loops.products import WIDTH, multiply

ROWS = 32  # of a batch that go through all steps together, so that their states stay in the cache


@compiled
def forward(x: Any, start: Any, panels: Any, bias: Any, mask: Any, out: Any, kept: Any, first: int, last: int) -> None:
    """Compute the rows first … last − 1 of out, the state after each step, and kept, what the gradient needs.

    x: [batch, time, 3 × units], gates in the order z, r, n. start: [batch, units]. panels: the recurrent weights, see
    products. bias: [3 × units]. mask: bool [batch, time], or empty. out: [batch, time, units]. kept: [batch, time,
    4 × units], z, r, n and h U_n + b_n.
    """
    time, units = out.shape[1:]
    states = np.empty((ROWS, units), np.float32)
    products = np.empty((ROWS, panels.shape[0] * WIDTH), np.float32)
    for top in range(first, last, ROWS):
        rows = min(ROWS, last - top)
        states[:rows] = start[top : top + rows]
        for t in range(time):
            multiply(states[:rows], panels, products[:rows])
            for row in range(rows):
                at = top + row
                if mask.size == 0 or mask[at, t]:
                    _step(x[at, t], products[row], bias, states[row], kept[at, t])
                out[at, t] = states[row]


@compiled
def _step(x: Any, product: Any, bias: Any, state: Any, kept: Any) -> None:
    units = len(state)
    for j in range(units):
        update = sigmoid(x[j] + product[j] + bias[j])
        reset = sigmoid(x[units + j] + product[units + j] + bias[units + j])
        over = product[2 * units + j] + bias[2 * units + j]
        new = tanh(x[2 * units + j] + reset * over)
        kept[j], kept[units + j], kept[2 * units + j], kept[3 * units + j] = update, reset, new, over
        state[j] = update * state[j] + (ONE - update) * new


@compiled
def backward(
    d_out: Any, start: Any, out: Any, kept: Any, panels: Any, mask: Any,
    d_x: Any, d_over: Any, d_start: Any, first: int, last: int,
) -> None:  # fmt: skip
    """Compute the rows first … last − 1 of the gradients d_x, d_over and d_start, from that of the outputs.

    d_x: [batch, time, 3 × units], of x. d_over: the same of h U + b. d_start: [batch, units]. panels: of the transposed
    recurrent weights. The others are those of `forward`.
    """
    time, units = out.shape[1:]
    passed = np.empty((ROWS, units), np.float32)  # the gradient of a state, but through the products with it
    products = np.empty((ROWS, panels.shape[0] * WIDTH), np.float32)
    over = np.empty((ROWS, 3 * units), np.float32)
    for top in range(first, last, ROWS):
        rows = min(ROWS, last - top)
        passed[:rows] = np.float32(0.0)
        products[:rows] = np.float32(0.0)
        for t in range(time - 1, -1, -1):
            for row in range(rows):
                at = top + row
                for j in range(units):
                    passed[row, j] += products[row, j] + d_out[at, t, j]
                if mask.size == 0 or mask[at, t]:
                    before = out[at, t - 1] if t else start[at]
                    _step_back(kept[at, t], before, passed[row], d_x[at, t], over[row])
                else:
                    d_x[at, t] = np.float32(0.0)
                    over[row] = np.float32(0.0)
                d_over[at, t] = over[row]
            multiply(over[:rows], panels, products[:rows])
        for row in range(rows):
            for j in range(units):
                d_start[top + row, j] = passed[row, j] + products[row, j]


@compiled
def _step_back(kept: Any, before: Any, passed: Any, d_x: Any, d_over: Any) -> None:
    units = len(passed)  # slices and short loops, because LLVM leaves the long loop over all of it as it is
    update, reset, new, product = kept[:units], kept[units : 2 * units], kept[2 * units : 3 * units], kept[3 * units :]
    d_update, d_reset, d_product = d_over[:units], d_over[units : 2 * units], d_over[2 * units :]
    d_new = d_x[2 * units :]
    for j in range(units):
        d_new[j] = passed[j] * (ONE - update[j]) * (ONE - new[j] * new[j])
    for j in range(units):
        d_update[j] = passed[j] * (before[j] - new[j]) * update[j] * (ONE - update[j])
        passed[j] *= update[j]
    for j in range(units):
        d_reset[j] = d_new[j] * product[j] * reset[j] * (ONE - reset[j])
        d_product[j] = d_new[j] * reset[j]
    d_x[: 2 * units] = d_over[: 2 * units]
